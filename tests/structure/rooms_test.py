#!/usr/bin/env python3
"""What holds for whole rooms: who asks an authorizer, what the binary links, and that the pages name files that exist."""
import pathlib
import re
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Answered before anybody is known (KIP-35).
UNAUTHORIZED = {"018_api_versions.h"}
HEAVY = ("libcrypto", "libssl", "librocksdb", "libkrb5", "libgssapi", "libzookeeper", "libjvm")


class Rooms(unittest.TestCase):
    def test_every_handler_is_made_with_an_authorizer(self):
        headers = sorted((ROOT / "src/server/api").glob("[0-9]*.h"))
        self.assertGreater(len(headers), 15)
        without = {header.name for header in headers if "security::Authorizer" not in header.read_text()}
        self.assertEqual(without, UNAUTHORIZED)

    def test_every_handler_uses_it(self):
        for header in sorted((ROOT / "src/server/api").glob("[0-9]*.h")):
            if header.name in UNAUTHORIZED:
                continue
            source = header.with_suffix(".cpp")
            text = header.read_text() + (source.read_text() if source.exists() else "")
            self.assertRegex(text, r"authorizer_?(\.|\)|,)", header.name)

    def test_heavy_libraries_are_not_linked(self):
        needed = subprocess.run(["readelf", "-d", str(ROOT / "build/release/klamm")], capture_output=True, text=True, check=True).stdout
        linked = re.findall(r"\(NEEDED\).*\[(.*)\]", needed)
        self.assertTrue(linked)
        self.assertEqual([name for name in linked if name.startswith(HEAVY)], [])

    def test_pages_name_files_that_exist(self):
        missing = []
        for page in sorted(ROOT.glob("docs/**/*.md")) + [ROOT / "README.md"]:
            for name in re.findall(r"`((?:src|tests|docs|tools|schemas|cmake|packaging|benchmarks)/[\w./+-]*)`", page.read_text()):
                if re.search(r"NNN|/LOG/", name):  # stands for many
                    continue
                if not (ROOT / name).exists() and not list(ROOT.glob(name + ".*")) and not list(ROOT.glob(f"src/{name}*")):
                    missing.append(f"{page.relative_to(ROOT)}: {name}")
        self.assertEqual(missing, [])

    def test_links_between_pages_lead_somewhere(self):
        missing = []
        for page in sorted(ROOT.glob("docs/**/*.md")) + [ROOT / "README.md"]:
            for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
                if not (page.parent / link).exists():
                    missing.append(f"{page.relative_to(ROOT)}: {link}")
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
