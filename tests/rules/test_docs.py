"""The reference in docs/rules.md is that of the catalogue, and its example is true."""

import json
import re

from ma.rules.check import parse
from ma.rules.fields import FIELDS, Kind
from ma.rules.operators import OPERATORS, Operand
from ma.rules.to_english import english
from ma.settings import ROOT

DOCS = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
VALUES = {
    Operand.NOTHING: "–",
    Operand.ONE: "one",
    Operand.MANY: "a list",
    Operand.RANGE: "lowest and highest",
    Operand.WINDOW: "whole number, and `unit`",
}


def block(name: str) -> list[str]:
    """The rows of a table between two comments."""
    lines = re.search(f"<!-- {name} -->\n(.*)<!-- /{name} -->", DOCS, re.DOTALL)[1].splitlines()
    return lines[2:]


def test_the_table_of_fields_is_the_catalogue():
    assert block("fields") == [
        f"| `{f.name}` | {f.kind} | {f.title}. {f.about} | {'yes' if f.can_be_missing else 'no'} |"
        for f in FIELDS.values()
    ]


def test_the_table_of_operators_is_the_catalogue():
    def kinds(operator):
        if operator.tests_presence:
            return "every field that can be unknown"
        return ", ".join(kind for kind in Kind if kind in operator.kinds)

    assert block("operators") == [
        f"| `{o.name}` | {o.title} | {VALUES[o.operand]} | {kinds(o)} |" for o in OPERATORS.values()
    ]


def test_the_example_reads_as_the_docs_say():
    rule = json.loads(re.search("```json\n(.*?)```", DOCS, re.DOTALL)[1])
    sentence = " ".join(line[2:] for line in DOCS.splitlines() if line.startswith("> "))
    assert english(parse(rule), currency="USD") == sentence
