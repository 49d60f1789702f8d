"""What is refused, with its place and the remedy. Nothing is ever skipped."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ma.errors import InvalidRule
from ma.rules.check import MAX_RULES, parse
from ma.rules.fields import FIELDS
from ma.rules.nodes import FieldRule, Group, Match, Not, Unit, Window
from ma.rules.operators import operators_of

AGE = {"field": "age", "operator": "gte", "value": 30}


def test_a_rule_is_read_into_nodes():
    rule = """{"all": [{"field": "country", "operator": "in", "value": ["DE", "FR"]},
               {"not": {"field": "last_order", "operator": "in_last", "value": 90, "unit": "day"}},
               {"field": "age", "operator": "lt", "value": 30, "missing": "match"}]}"""
    assert parse(rule) == Group(
        Match.ALL,
        (
            FieldRule("country", "in", ("DE", "FR")),
            Not(FieldRule("last_order", "in_last", Window(90, Unit.DAY))),
            FieldRule("age", "lt", 30, missing_matches=True),
        ),
    )


def nested(depth: int) -> dict:
    rule = AGE
    for _ in range(depth):
        rule = {"not": rule}
    return rule


def leaf(field: str, operator: str, value=None, **more) -> dict:
    return {"field": field, "operator": operator} | ({} if value is None else {"value": value}) | more


HOSTILE = [
    # Not JSON, or not a rule at all.
    ("", "", "not valid JSON"),
    ("[", "", "line 1, column 2"),
    ("{'all': []}", "", "not valid JSON"),
    ("[" * 60_000, "", "more than 10 groups"),
    ("9" * 5_000, "", "not valid JSON"),
    ("null", "", "Expected a rule but found nothing"),
    ([AGE], "", "found a list"),
    ({"all": [AGE, 3]}, "all[1]", "found 3"),
    ({"all": [AGE, None]}, "all[1]", "found nothing"),
    (f'{{"all": [{json.dumps(AGE)}]}}' + " " * 70_000, "", "64 KiB"),
    # Groups.
    ({}, "", "The rule is empty"),
    ({"all": []}, "all", "The group is empty"),
    ({"all": [{"any": [AGE, {"none": []}]}]}, "all[0].any[1].none", "The group is empty"),
    ({"all": AGE}, "all", "needs a list"),
    ({"not": [AGE]}, "not", "found a list"),
    ({"not": {}}, "not", "The rule is empty"),
    ({"all": [AGE], "any": [AGE]}, "", "not several"),
    ({"al": [AGE]}, "", "Did you mean 'all'?"),
    ({"all": [AGE], "then": 1}, "", "Unknown key 'then'"),
    ({"event": "purchase"}, "", "Unknown key 'event'"),
    (nested(11), "not.not.not.not.not.not.not.not.not.not.not", "more than 10 groups"),
    ({"any": [AGE] * (MAX_RULES + 1)}, "any[200]", "more than 200 conditions"),
    ({"any": [leaf("age", "in", list(range(101)))] * 10}, "any[9].value", "more than 1,000 values"),
    # Keys.
    (
        '{"all": [{"field": "age", "operator": "gt", "value": 3, "value": 99}]}',
        "all[0]",
        "'value' stands twice",
    ),
    ('{"all": [{"field": "age", "operator": "gt", "value": 3}], "all": []}', "", "'all' stands twice"),
    ({"all": [AGE | {"valu": 3}]}, "all[0]", "Did you mean 'value'?"),
    ({1: [AGE]}, "", "Unknown key 1"),
    (AGE | {"all": [AGE]}, "", "Unknown key 'all'"),
    # Fields and operators.
    ({"all": [AGE, leaf("agee", "gt", 3)]}, "all[1]", "Unknown field 'agee' in all[1]. Did you mean 'age'?"),
    (leaf("Lifetime value", "gt", 3), "", "Did you mean 'lifetime_value'?"),
    (leaf("notes", "contains", "x"), "", "Unknown field 'notes'"),
    (leaf("password_hash", "eq", "x"), "", "Unknown field"),
    ({"field": ["age"], "operator": "gt", "value": 3}, "", "must be a name, not a list"),
    ({"field": "age", "value": 3}, "", "The operator is missing"),
    (leaf("city", "contain", "x"), "", "Did you mean 'contains'?"),
    (leaf("age", "contains", "3"), "", "has no operator 'contains'"),
    (leaf("orders", "is_missing"), "", "has no operator 'is_missing'"),
    (leaf("first_order", "in_next", 3, unit="day"), "", "has no operator 'in_next'"),
    # Values.
    ({"field": "age", "operator": "gte"}, "", "The value is missing"),
    (leaf("age", "gte", True), "value", "cannot be compared with true"),
    (leaf("age", "gte", "30"), "value", "cannot be compared with '30'"),
    (leaf("age", "gte", 30.0), "value", "cannot be compared with 30.0"),
    (leaf("age", "gte", 151), "value", "from 0 to 150"),
    (leaf("age", "gte", -1), "value", "from 0 to 150"),
    ('{"field": "engagement", "operator": "gt", "value": NaN}', "value", "with nan"),
    ('{"field": "engagement", "operator": "gt", "value": -Infinity}', "value", "with -inf"),
    ('{"field": "engagement", "operator": "gt", "value": 1e999}', "value", "with inf"),
    (leaf("engagement", "gt", 100.5), "value", "from 0 to 100"),
    (leaf("orders", "gt", 2**63), "value", "an enormous number"),
    (leaf("lifetime_value", "gt", 800.5), "value", "minor units"),
    (leaf("lifetime_value", "gt", 10**4000), "value", "an enormous number"),
    (leaf("consent_email", "eq", 1), "value", "true or false"),
    (leaf("consent_email", "eq", "yes"), "value", "true or false"),
    (leaf("city", "eq", 5), "value", "a text in quotes"),
    (leaf("city", "eq", ""), "value", "The text is empty"),
    (leaf("city", "contains", " \t "), "value", "The text is empty"),
    (leaf("city", "contains", "a\0b"), "value", "cannot be stored"),
    ('{"field": "city", "operator": "eq", "value": "\\ud800"}', "value", "cannot be stored"),
    (leaf("city", "contains", "x" * 501), "value", "longer than 500"),
    (leaf("country", "eq", ["DE"]), "value", "with a list"),
    (leaf("country", "in", "DE"), "value", "needs a list"),
    (leaf("country", "in", []), "value", "The list is empty"),
    ({"any": [leaf("country", "in", ["DE", None])]}, "any[0].value[1]", "with nothing"),
    (leaf("age", "between", [30]), "value", "needs two values"),
    (leaf("age", "between", [40, 30]), "value", "Swap them"),
    (leaf("age", "between", {"low": 1}), "value", "needs a list"),
    (leaf("is_set", "is_set"), "", "Unknown field"),
    (leaf("age", "is_set", 1), "", "takes no value"),
    # Days and windows.
    (leaf("birth_date", "on", "31.01.2026"), "value", "such as 2026-01-31"),
    (leaf("birth_date", "on", "2026-02-30"), "value", "such as 2026-01-31"),
    (leaf("birth_date", "on", "20260130"), "value", "such as 2026-01-31"),
    (leaf("birth_date", "on", "2026-01-30T00:00"), "value", "such as 2026-01-31"),
    (leaf("birth_date", "on", "٢٠٢٦-01-30"), "value", "such as 2026-01-31"),
    (leaf("birth_date", "before", "0001-01-01"), "value", "from 1900-01-01"),
    (leaf("birth_date", "between", ["2026-01-31", "2026-01-30"]), "value", "Swap them"),
    (leaf("last_order", "in_last", 90), "", "The unit is missing"),
    (leaf("last_order", "in_last", 90, unit="dayz"), "unit", "Did you mean 'day'?"),
    (leaf("last_order", "in_last", 0, unit="day"), "value", "from 1 to 36,525"),
    (leaf("last_order", "in_last", True, unit="day"), "value", "from 1 to 36,525"),
    (leaf("last_order", "in_last", 1.5, unit="day"), "value", "from 1 to 36,525"),
    (leaf("last_order", "in_last", 101, unit="year"), "value", "from 1 to 100"),
    (AGE | {"unit": "day"}, "", "takes no unit"),
    # Missing.
    (AGE | {"missing": True}, "missing", "cannot be true"),
    (AGE | {"missing": "skip"}, "missing", "cannot be 'skip'"),
    (leaf("orders", "gt", 3, missing="match"), "", "never unknown"),
    (leaf("age", "is_set", missing="match"), "", "already asks for it"),
]


@pytest.mark.parametrize(("rule", "path", "words"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_wrong_rule_is_refused_with_its_place_and_the_remedy(rule, path, words):
    with pytest.raises(InvalidRule) as refused:
        parse(rule)
    assert words in str(refused.value)
    assert refused.value.path == path
    assert len(str(refused.value)) < 400


def test_a_rule_that_contains_itself_is_refused():
    rule = {"all": []}
    rule["all"].append(rule)
    with pytest.raises(InvalidRule, match="more than 10 groups"):
        parse(rule)


def test_the_limits_themselves_are_allowed():
    parse(nested(10))
    parse({"any": [AGE] * MAX_RULES})
    parse({"any": [leaf("age", "in", list(range(100)))] * 10})
    parse(leaf("orders", "lte", 2**63 - 1))
    parse(leaf("last_order", "in_last", 100, unit="year"))


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(list(FIELDS)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["all", "any", "none", "not", "field", "operator", "value", "unit", "missing"]),
            inner,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(_JSON)
def test_anything_else_is_refused_as_an_invalid_rule(data):
    for rule in (data, json.dumps(data)) if isinstance(data, dict) else (json.dumps(data),):
        with contextlib.suppress(InvalidRule):
            parse(rule)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(list(FIELDS.values())), st.data())
def test_one_wrong_thing_in_a_right_rule_is_refused(field, data):
    operator = data.draw(st.sampled_from(list(operators_of(field).values())))
    wrong = data.draw(
        st.sampled_from([None, {}, [], [None], [[]], "", float("nan"), 2**64, b"x", object(), ("a",)])
    )
    rule = {"field": field.name, "operator": operator.name, "value": wrong, "unit": "day"}
    with pytest.raises(InvalidRule):
        parse(rule)
