#!/usr/bin/env python3
"""What ./bench makes of its rows: which rounds count, what stands first, and that nothing unmeasured looks measured."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "benchmarks"))
import generator  # noqa: E402
import render  # noqa: E402
import results  # noqa: E402
import svg  # noqa: E402
import table  # noqa: E402
from workloads import Workload  # noqa: E402

FAST, SLOW, LATER = (Workload(name, "part", ("produce",), floor_goal=1.3, goal=4) for name in ("fast", "slow", "later"))


class Report(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name) / "results.jsonl"
        self.results = self.reopened()

    def reopened(self, quick=False, binary="b"):
        return results.Results(quick, self.path, binary)

    def rounds(self, workload, server, *figures, valid=True):
        for number, figure in enumerate(figures):
            self.results.add(workload, server, round=number, figure=figure, p50=figure, p99=figure * 2, valid=valid)

    def measured(self):
        for workload, kafka in ((FAST, 50), (SLOW, 5)):
            self.rounds(workload, "klamm", 9, 10, 11)
            self.rounds(workload, "kafka", kafka, kafka, kafka)
            self.rounds(workload, "floor", 10, 10, 10)

    def test_a_round_that_others_disturbed_is_counted_and_not_used(self):
        self.measured()
        self.rounds(FAST, "kafka", 1_000_000, valid=False)
        row = table.row_of(FAST, self.results)
        self.assertEqual((row.theirs.most, row.discarded), (50, 1))
        self.assertTrue(generator.valid({"others": 0.05, "stolen": 0}))
        self.assertFalse(generator.valid({"others": 0.051, "stolen": 0}))
        self.assertFalse(generator.valid({"others": 0, "stolen": 0.051}))

    def test_ratios_are_of_corresponding_rounds_with_their_spread(self):
        self.measured()
        self.assertEqual(self.results.ratio(FAST, "kafka", "klamm", "figure"), results.Spread(5, 50 / 11, 50 / 9))

    def test_where_kafka_is_ahead_stands_first_and_what_is_not_measured_last(self):
        self.measured()
        found = table.rows([LATER, FAST, SLOW], self.results)
        self.assertEqual([row.workload.name for row in found], ["slow", "fast", "later"])
        self.assertIn("**misses** ≥ 4", table.line(found[0]))
        self.assertIn("meets ≥ 4", table.line(found[1]))
        self.assertIn("not measured yet", table.line(found[2]))

    def test_a_workload_of_which_kafka_is_missing_is_not_measured(self):
        self.rounds(LATER, "klamm", 9, 10, 11)
        self.assertIn("not measured yet", table.line(table.row_of(LATER, self.results)))

    def test_a_run_that_was_cut_off_goes_on_with_the_same_binary_and_lengths_only(self):
        self.measured()
        self.assertEqual(len(self.reopened().valid(FAST, "klamm")), 3)
        self.assertEqual(self.reopened(quick=True).valid(FAST, "klamm"), [])
        self.assertEqual(self.reopened(binary="other").valid(FAST, "klamm"), [])

    def test_a_page_without_results_says_so_in_every_row(self):
        rows = [line for line in render.page(self.results).splitlines() if line.startswith("| ") and not line.startswith("| workload")]
        self.assertGreater(len(rows), 40)
        self.assertEqual([row for row in rows if "not measured yet" not in row], [])

    def test_a_bar_leaves_one_to_the_left_where_kafka_is_ahead(self):
        plot = svg.bars("title", [("ours < theirs", 5, 4, 6, 4), ("theirs", 0.5, 0.4, 0.6, None)])
        self.assertIn("ours &lt; theirs", plot)
        self.assertEqual((plot.count(svg.OURS), plot.count(svg.THEIRS)), (1, 1))


if __name__ == "__main__":
    unittest.main()
