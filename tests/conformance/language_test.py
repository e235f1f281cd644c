#!/usr/bin/env python3
"""Stories of schemas that cannot be: the generator refuses them and names the line."""

import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/schemagen"))
from generate import outputs
from language import Parser, SchemaError, read_schemas
from names import camel, member

HEAD = "api 0 Ping\n  versions 0-3\n  flexible 2+\n\nrequest\n"
TAIL = "\nresponse\n  ErrorCode int16\n"

# What stands in the request, and what the complaint says.
REFUSED = [
    ("  Name text\n", "x.schema:6: unknown type text"),
    ("  Name string 4+\n", "x.schema:6: Name is in no version"),
    ("  Name string nullable\n", "x.schema:6: unknown attribute nullable"),
    ("  Name int32 null\n", "Name cannot be null"),
    ("  Name string null 1+ default null\n", "Name has the default null, but is not always nullable"),
    ("  Size int8 default 128\n", "Size has a default that is no int8"),
    ("  Size string default x\n", "Size can have no default but null"),
    ("  Size int32 tag 0\n", "Size is tagged in versions that are not flexible"),
    ("  A int32 2+ tag 0\n  B int32 2+ tag 0\n", "x.schema:7: B has tag 0, which is taken"),
    ("  Name string\n  Name string\n", "x.schema:7: field Name is there already"),
    ("  Topics []Topic\n", "x.schema:6: struct Topic is not defined"),
    ("  Topics []Topic\n    Name string\n  More []Topic\n    Name string\n", "struct Topic is there already"),
    ("  Name string\n\n  struct Lost\n    Name string\n", "struct Lost of PingRequest is not used"),
    ("  Node Node\n    Next Node\n", "struct Node contains itself"),
    ("  Name string\n    Inner string\n", "x.schema:7: Name is no struct and has no fields"),
    ("  Leader string entity brokerId\n", "x.schema:6: entity brokerId is a int32"),
    ("   Name string\n", "x.schema:6: indent by two blanks a level"),
]


def parse(text):
    with tempfile.NamedTemporaryFile("w", suffix=".schema") as file:
        file.write(text)
        file.flush()
        return Parser(file.name, "x.schema").messages()


class LanguageTest(unittest.TestCase):
    def test_what_cannot_be_is_refused(self):
        for request, complaint in REFUSED:
            with self.subTest(request), self.assertRaises(SchemaError) as caught:
                parse(HEAD + request + TAIL)
            self.assertIn(complaint, str(caught.exception))

    def test_request_and_response_share_their_head(self):
        request, response = parse(HEAD + "  Name string 1+ null 2+\n" + TAIL)
        self.assertEqual(request.name, "PingRequest")
        self.assertEqual(str(response.versions), "0-3")
        self.assertEqual(str(request.root.fields[0].nullable), "2+")

    def test_a_struct_is_met_where_its_users_are(self):
        request, _ = parse(HEAD + "  Old []Pair 0-1\n  New []Pair 3\n\n  struct Pair\n    Key string\n" + TAIL)
        self.assertEqual(str(request.structs[0].versions), "0-3")

    def test_a_gap_between_keys_and_an_unknown_error(self):
        for text, complaint in ((HEAD.replace("api 0", "api 1") + "  A int8\n" + TAIL, "the next key is 0"),
                                (HEAD + "  A int8\n" + TAIL + "  errors NO_SUCH\n", "NO_SUCH")):
            with tempfile.TemporaryDirectory() as folder, self.assertRaises(SchemaError) as caught:
                (Path(folder) / "x.schema").write_text(text.replace("  ErrorCode int16\n  errors NO_SUCH\n",
                                                                    "  errors NO_SUCH\n  ErrorCode int16\n"))
                outputs(folder)
            self.assertIn(complaint, str(caught.exception))

    def test_names(self):
        self.assertEqual([member(name) for name in ("IsKRaftController", "Enable2Pc", "V0Host", "ISRCount", "Operator")],
                         ["is_kraft_controller", "enable_2pc", "v0_host", "isr_count", "operator_"])
        self.assertEqual(camel("IsKRaftController"), "isKRaftController")

    def test_our_schemas_give_the_same_files_every_time(self):
        self.assertEqual(outputs(ROOT / "schemas"), outputs(ROOT / "schemas"))
        self.assertGreater(len(read_schemas(ROOT / "schemas")), 280)


if __name__ == "__main__":
    unittest.main()
