"""The reference in docs/rules.md is that of the catalogue, and its example is true."""

import json
import re
from datetime import UTC, datetime

import pytest

from ma.analytics.catalogue import MOST_KINDS
from ma.rules.check import parse
from ma.rules.events import EVENTS, MEASURES, measures_of
from ma.rules.fields import FIELDS, Kind
from ma.rules.operators import OPERATORS, Operand, comparisons_of
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


def without(f):
    return f.absent or ("unknown" if f.can_be_missing else "–")


def field_rows():
    return [f"| `{f.name}` | {f.kind} | {f.title}. {f.about} | {without(f)} |" for f in FIELDS.values()]


def operator_rows():
    def kinds(operator):
        if operator.tests_presence:
            return "every field that somebody can be without"
        return ", ".join(kind for kind in Kind if kind in operator.kinds)

    return [f"| `{o.name}` | {o.title} | {VALUES[o.operand]} | {kinds(o)} |" for o in OPERATORS.values()]


def code(names):
    return ", ".join(f"`{name}`" for name in names)


def event_rows():
    return [f"| `{e.name}` | {code(measures_of(e))} | {code(e.fields)} |" for e in EVENTS.values()]


def measure_rows():
    return [
        f"| `{m.name}` | {m.field.label}{'' if m.name.startswith('days') else ' of'} … | {m.field.kind} | "
        f"{m.field.absent or '0'} |"
        for m in MEASURES.values()
    ]


def event_field_rows():
    of = {}
    for event in EVENTS.values():
        for f in event.fields.values():
            of.setdefault((f.name, f.kind, f.about, f.can_be_missing), []).append(event.name)
    return [
        f"| `{name}` | {code(events)} | {kind} | {about} | {'yes' if missing else 'no'} |"
        for (name, kind, about, missing), events in of.items()
    ]


def comparisons():
    [shared] = {tuple(comparisons_of(measure.field)) for measure in MEASURES.values()}
    return code(shared)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("fields", field_rows),
        ("operators", operator_rows),
        ("events", event_rows),
        ("measures", measure_rows),
        ("event fields", event_field_rows),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_table_is_that_of_the_catalogue(name, rows):
    assert block(name) == rows()


def test_what_measures_are_compared_by_and_how_many_kinds_there_can_be_is_said():
    assert f"compared by {comparisons()}." in " ".join(DOCS.split())
    assert f"at most {MOST_KINDS} such kinds" in DOCS


def test_the_example_reads_as_the_docs_say():
    rule = json.loads(re.search("```json\n(.*?)```", DOCS, re.DOTALL)[1])
    sentence = " ".join(line[2:] for line in DOCS.splitlines() if line.startswith("> "))
    assert english(parse(rule), currency="USD") == sentence


def test_every_rule_in_the_docs_is_one():
    blocks = re.findall("```json\n(.*?)```", DOCS, re.DOTALL)
    assert len(blocks) == 5
    for block in blocks:
        parse(block)
    inline = [text for text in re.findall("`([^`\n]*)`", DOCS) if text.startswith('{"') and "…" not in text]
    periods = [text for text in inline if text.startswith(('{"last"', '{"from"', '{"to"'))]
    assert len(periods) == 4
    for text in inline:
        if text.startswith('{"channel"'):
            parse({"campaign": json.loads(text), "did": "opened"})
        elif text in periods:
            parse({"campaign": "any", "did": "opened", "within": json.loads(text)})
        else:
            parse(text)


def test_the_lines_for_analysts_run():
    lines = re.search("```python\n(.*?)```", DOCS, re.DOTALL)[1].replace("rule.", "said += rule.", 1)
    told = {"now": datetime(2026, 11, 22, tzinfo=UTC), "said": ""}
    exec(lines.replace("rule.to_sql", "said += rule.to_sql"), told)
    assert told["said"].startswith("Customers where number of orders is at least 3.SELECT ")
