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

    def test_what_is_answered_after_the_power_went_was_not_answered(self):
        self.history.power(False)
        self.history.acknowledge("t", Batch(0, values(4), 3), 3)
        self.history.see(("t", 0), {3: values(4)[0]})
        self.history.power(True)
        self.assertEqual([], self.verdict(values(1, 2, 3)).wrong)
        self.assertEqual(1, self.history.answered_in_the_dark)
        self.history.acknowledge("t", Batch(0, values(5), 4), 3)
        self.assertTrue(self.verdict(values(1, 2, 3)).wrong)

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

    def test_what_a_consumer_saw_and_nobody_finds_again(self):
        self.history.see(("t", 0), dict(enumerate(values(1, 2, 3, 4))))
        self.assertEqual([], self.verdict(values(1, 2, 3, 4)).wrong)
        self.assertTrue(self.verdict(values(1, 2, 3)).wrong)
        self.assertEqual([], self.verdict(values(1, 2, 3), may_lose_tail=True).wrong)
        self.assertTrue(self.verdict(values(1, 2, 3, 5), may_lose_tail=True).wrong)

    def test_a_consumer_sees_two_records_at_one_offset(self):
        self.history.see(("t", 0), {5: b"c/5"})
        self.history.see(("t", 0), {5: b"c/6"})
        self.assertTrue(self.history.wrong)

    def test_what_was_lost_is_forgotten_and_so_is_what_was_deleted(self):
        self.history.see(("t", 0), dict(enumerate(values(1, 2, 3, 4))))
        self.history.forget({("t", 0): 2})
        self.history.deleted(("t", 0), 1)
        self.assertEqual(({1: b"c/2"}, {1: b"c/2"}), (self.history.acked["t", 0], self.history.seen["t", 0]))

    def test_a_second_look_begins_where_the_first_ended(self):
        def look(found):
            verdict = Verdict()
            check_partition(verdict, self.history, ("t", 0), found, False, since=2)
            return verdict
        self.assertEqual([], look({1: b"c/2", 2: b"c/3"}).wrong)
        self.assertTrue(look({1: b"c/2"}).wrong)
        self.assertTrue(look({}).wrong)
        self.assertTrue(look({2: b"c/3"}).wrong)

    def test_a_producer_id_given_twice(self):
        self.history.producer_id(7)
        self.history.producer_id(7)
        self.assertTrue(self.history.wrong)


if __name__ == "__main__":
    unittest.main()
