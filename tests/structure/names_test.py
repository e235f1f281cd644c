#!/usr/bin/env python3
"""Scripts name nothing that is not there: a name that only a rare path uses would fail just when it is needed."""
import pathlib
import re
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = [ROOT / name for name in ("tests", "tools", "benchmarks")]
FATAL = re.compile(r"undefined name|referenced before assignment|invalid syntax|unable to detect")


def faults(*paths):
    lines = subprocess.run(["pyflakes3", *map(str, paths)], capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if FATAL.search(line)]


class Names(unittest.TestCase):
    def test_every_name_a_script_uses_is_defined(self):
        self.assertEqual(faults(*FOLDERS), [])

    def test_a_planted_name_is_found(self):
        with tempfile.NamedTemporaryFile("w", suffix=".py") as planted:
            planted.write("def rare():\n    return time.time()\n")
            planted.flush()
            self.assertEqual(len(faults(planted.name)), 1)


if __name__ == "__main__":
    unittest.main()
