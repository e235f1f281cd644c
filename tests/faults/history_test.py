#!/usr/bin/env python3
"""The checker sees what it is there to see."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from load import Batch, History  # noqa: E402
from history import Verdict, check_partition  # noqa: E402


def values(*numbers):
    return [b"c/%d" % n for n in numbers]


class Checker(unittest.TestCase):
    def setUp(self):
        self.history = History()
        self.history.sent["t", 0].update(values(*range(1, 10)))
        self.history.acknowledge("t", Batch(0, values(1, 2), 0), 0)
        self.history.acknowledge("t", Batch(0, values(3), 2), 2)

    def verdict(self, found, may_lose_tail=False):
        verdict = Verdict()
        check_partition(verdict, self.history, ("t", 0), dict(enumerate(found)), may_lose_tail)
        return verdict

    def test_all_is_well(self):
        verdict = self.verdict(values(1, 2, 3, 4))
        self.assertEqual((3, 0, []), (verdict.acked, verdict.lost, verdict.wrong))

    def test_a_lost_record(self):
        verdict = self.verdict(values(1, 2))
        self.assertEqual(1, verdict.lost)
        self.assertTrue(verdict.wrong)

    def test_a_lost_tail_may_be_allowed_but_a_hole_never(self):
        verdict = self.verdict(values(1, 2), may_lose_tail=True)
        self.assertEqual((1, []), (verdict.lost, verdict.wrong))
        self.assertTrue(self.verdict(values(1, 3, 4), may_lose_tail=True).wrong)

    def test_two_copies(self):
        self.assertTrue(self.verdict(values(1, 2, 3, 4, 4)).wrong)

    def test_the_wrong_order(self):
        self.assertTrue(self.verdict(values(1, 2, 3, 5, 4)).wrong)

    def test_what_nobody_sent(self):
        self.assertTrue(self.verdict(values(1, 2, 3, 77)).wrong)

    def test_one_offset_answered_twice(self):
        self.history.acknowledge("t", Batch(0, values(5), 5), 2)
        self.assertTrue(self.history.wrong)

    def test_known_without_an_offset(self):
        self.history.acknowledge("t", Batch(0, values(4), 3), -1)
        self.assertEqual(1, self.verdict(values(1, 2, 3)).lost)

    def test_a_producer_id_given_twice(self):
        self.history.producer_id(7)
        self.history.producer_id(7)
        self.assertTrue(self.history.wrong)


if __name__ == "__main__":
    unittest.main()
