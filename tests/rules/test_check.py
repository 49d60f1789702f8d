"""What is refused, with its place and the remedy. Nothing is ever skipped."""

import contextlib
import json
import time
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ma.errors import InvalidRule
from ma.rules.check import MAX_RULES, parse
from ma.rules.fields import FIELDS
from ma.rules.nodes import (
    Between,
    CampaignRule,
    Did,
    EventRule,
    FieldRule,
    Group,
    Match,
    Not,
    RandomRule,
    SegmentRule,
    Unit,
    Window,
    to_json,
)
from ma.rules.operators import operators_of
from tests.rules.generated import CATALOGUE, nodes

AGE = {"field": "age", "operator": "gte", "value": 30}
WINE = {"field": "category", "operator": "eq", "value": "wine"}


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


def event(**changes) -> dict:
    """A right rule over events, but for the changes; None takes a key away."""
    rule = {"event": "purchase", "measure": "count", "operator": "gte", "value": 3} | changes
    return {key: value for key, value in rule.items() if value is not None}


def opened(**changes) -> dict:
    return {"campaign": "any", "did": "opened"} | changes


def half(**changes) -> dict:
    rule = {"random": "autumn test", "from": 0, "to": 50} | changes
    return {key: value for key, value in rule.items() if value is not None}


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
    ({"then": AGE}, "", "Use one of all, any, none, not, field, event, campaign, in_segment, random"),
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
    # Lists, and fields of the workspace's own.
    (leaf("tags", "eq", "vip"), "", "has no operator 'eq'. Use one of has_any, has_all, has_none"),
    (leaf("tags", "has_any", "vip"), "value", "needs a list"),
    (leaf("tags", "has_any", ["vip", " "]), "value[1]", "The text is empty"),
    (leaf("tag", "has_any", ["vip"]), "", "Did you mean 'tags'?"),
    (leaf("attribute:13", "eq", "x"), "", "Unknown field 'attribute:13'. It may have been deleted"),
    (leaf("attribute:12", "eq", 5), "value", "a text in quotes"),
    (leaf("shoe size", "eq", "x"), "", "Did you mean 'attribute:12'?"),
    # Events.
    (event(event="purchas"), "event", "Did you mean 'purchase'?"),
    (event(event="Cart abandoned"), "event", "Did you mean 'cart_abandoned'?"),
    (event(event=None) | {"event": None}, "event", "must be a name, not nothing"),
    (event(event=["purchase"]), "event", "must be a name, not a list"),
    (event(measure=None), "", "The measure is missing. Add one of count, sum"),
    (event(measure="total amount"), "measure", "Did you mean 'sum'?"),
    (event(measure={}), "measure", "must be a name, not an object"),
    (event(event="visit", measure="sum"), "measure", "'visit' has no amount, so no 'sum'"),
    (event(event="cart_abandoned", measure="avg"), "measure", "has no amount"),
    (event(operator=None), "", "The operator is missing"),
    (event(operator="is_set"), "", "has no operator 'is_set'"),
    (event(measure="max", operator="is_missing"), "", "has no operator 'is_missing'"),
    (event(operator="contains"), "", "has no operator 'contains'"),
    (event(operator="in_last", unit="day"), "", "has no operator 'in_last'"),
    (event(value=None), "", "The value is missing. Add a 'value': a whole number from 0 on"),
    (event(value=-1), "value", "a whole number from 0 on"),
    (event(value=2.0), "value", "cannot be compared with 2.0"),
    (event(value=True), "value", "cannot be compared with true"),
    (event(measure="sum", value=10**12 + 1), "value", "minor units"),
    (event(measure="days_since_last", value=54_751), "value", "from 0 to 54,750"),
    (event(operator="between", value=[3, 2]), "value", "Swap them"),
    (event(operator="in", value=[]), "value", "The list is empty"),
    (event(missing="match"), "", "never unknown"),
    (event(measure="sum", missing="match"), "", "never unknown"),
    (event(measure="max", missing="skip"), "missing", "cannot be 'skip'"),
    (event(unit="day"), "", "takes no unit"),
    ({"all": [AGE, event(windin=3)]}, "all[1]", "Did you mean 'within'?"),
    (event(field="age"), "", "Unknown key 'event'"),
    # What the events must be like.
    (event(where=[]), "where", "Expected an object but found a list"),
    (event(where={}), "where", "The condition is empty"),
    (event(where={"all": []}), "where.all", "The group is empty"),
    (event(where={"all": WINE}), "where.all", "needs a list of conditions"),
    (event(where={"all": [WINE, 3]}), "where.all[1]", "found 3"),
    (event(where={"all": [WINE, {}]}), "where.all[1]", "'where' holds conditions on fields of the event"),
    (event(where={"all": [WINE], "any": [WINE]}), "where", "Unknown key 'any'"),
    (event(where={"any": [WINE]}), "where", "'where' holds conditions on fields of the event, not 'any'"),
    (event(where={"all": [{"all": [WINE]}]}), "where.all[0]", "fields of the event, not 'all'"),
    (event(where={"not": WINE}), "where", "'where' holds conditions"),
    (event(where=leaf("country", "eq", "DE")), "where", "a field of the customer, not of the event"),
    (event(where=leaf("categry", "eq", "x")), "where", "Did you mean 'category'?"),
    (event(where=leaf("amount of the order", "gt", 1)), "where", "Did you mean 'order_amount'?"),
    (event(where=leaf("category", "eq", 3)), "where.value", "a text in quotes"),
    (
        event(where=leaf("category", "eq", "")),
        "where.value",
        "in where.value. Write something.",
    ),
    (event(where=leaf("quantity", "gt", 1.5)), "where.value", "a whole number from 0 on"),
    (event(where=leaf("order_amount", "gt", 10**13)), "where.value", "at most 1,000,000,000,000"),
    (event(where={"all": [WINE, leaf("product", "gt", "x")]}), "where.all[1]", "has no operator 'gt'"),
    (event(where=WINE | {"valu": 1}), "where", "Did you mean 'value'?"),
    (event(event="visit", where=WINE), "where", "Unknown field 'category'"),
    (event(where=leaf("order_amount", "gt", 1, missing="match")), "where", "never unknown"),
    (
        {"any": [event(where={"all": [WINE] * 100}), event(where={"all": [WINE] * 100})]},
        "any[1].where.all[98]",
        "more than 200 conditions",
    ),
    # Periods.
    (event(within=90), "within", "Expected an object but found 90"),
    (event(within={}), "within", "The period is empty"),
    (event(within={"last": 90}), "within", "The unit is missing"),
    (event(within={"unit": "day"}), "within", "The length is missing"),
    (event(within={"last": 0, "unit": "day"}), "within.last", "from 1 to 36,525"),
    (event(within={"last": "90", "unit": "day"}), "within.last", "Expected a number of days but found '90'"),
    (event(within={"last": 1, "unit": "days"}), "within.unit", "Did you mean 'day'?"),
    (event(within={"last": 1, "unit": "day", "from": "2026-01-01"}), "within", "either a length or days"),
    (event(within={"from": "2026-02-01", "to": "2026-01-31"}), "within", "Swap the two days"),
    (event(within={"from": "yesterday"}), "within.from", "such as 2026-01-31"),
    (event(within={"to": 20260131}), "within.to", "such as 2026-01-31"),
    (event(within={"to": None}), "within.to", "such as 2026-01-31"),
    (event(within={"form": "2026-01-01"}), "within", "Did you mean 'from'?"),
    (opened(within={"last": 101, "unit": "year"}), "within.last", "from 1 to 100"),
    # Campaigns.
    ({"campaign": 3}, "", "What they did is missing"),
    (opened(did="open"), "did", "Did you mean 'opened'?"),
    (opened(did="sent"), "did", "Did you mean 'was_sent'?"),
    (opened(did=None), "did", "must be a name, not nothing"),
    (opened(campaign=0), "campaign", "not the id of a campaign: 0"),
    (opened(campaign=True), "campaign", "not the id of a campaign: true"),
    (opened(campaign=3.0), "campaign", "not the id of a campaign: 3.0"),
    (opened(campaign=None), "campaign", "not the id of a campaign: nothing"),
    (opened(campaign=2**31), "campaign", "not the id of a campaign"),
    (
        opened(campaign=4),
        "campaign",
        "It may have been deleted. Use 3 (Autumn sale).",
    ),
    (opened(campaign="all"), "campaign", "Unknown campaign 'all'"),
    (opened(campaign="Any"), "campaign", "Did you mean 'any'?"),
    (opened(campaign={}), "campaign", "The channel is missing"),
    (opened(campaign={"channel": "E-mail"}), "campaign.channel", "Did you mean 'email'?"),
    (opened(campaign={"channel": "fax"}), "campaign.channel", "Use one of email, sms, push, direct_mail"),
    (opened(campaign={"channel": "sms", "id": 3}), "campaign", "Unknown key 'id'"),
    (opened(missing="match"), "", "Unknown key 'missing'"),
    # Segments.
    ({"in_segment": "7"}, "in_segment", "not the id of a segment: '7'"),
    ({"in_segment": -7}, "in_segment", "not the id of a segment"),
    ({"in_segment": [7]}, "in_segment", "not the id of a segment: a list"),
    ({"all": [{"in_segment": 8}]}, "all[0].in_segment", "Unknown segment 8"),
    ({"in_segment": 7, "within": {}}, "", "Unknown key 'within'"),
    # Random splits.
    (half(random=""), "random", "has no name"),
    (half(random="  "), "random", "has no name"),
    (half(random=3), "random", "needs a name, not 3"),
    (half(random="a" * 101), "random", "longer than 100"),
    (half(random="a\nb"), "random", "cannot be seen"),
    (half(random="a\0b"), "random", "cannot be stored"),
    (half(to=None), "", "'to' is missing"),
    (half(to=0), "", "The part is empty"),
    (half(to=100.5), "to", "from 0 to 100 with at most two decimals"),
    (half(to=33.333), "to", "at most two decimals"),
    (half(to=True), "to", "found true"),
    (half(to="50"), "to", "found '50'"),
    ('{"random": "a", "from": 0, "to": NaN}', "to", "found nan"),
    ('{"random": "a", "from": -1e400, "to": 1}', "from", "found -inf"),
    (half(**{"from": -1}), "from", "found -1"),
    (half(until=3), "", "Unknown key 'until'"),
    # Keys that stand twice, at every level.
    ('{"in_segment": 7, "in_segment": 8}', "", "'in_segment' stands twice"),
    ('{"campaign": {"channel": "sms", "channel": "push"}, "did": "opened"}', "campaign", "stands twice"),
    (json.dumps(event())[:-1] + ', "value": 9}', "", "'value' stands twice"),
    (
        json.dumps(event())[:-1] + ', "within": {"last": 1, "unit": "day", "last": 9}}',
        "within",
        "'last' stands twice",
    ),
    (json.dumps(event())[:-1] + ', "where": {"all": [], "all": []}}', "where", "'all' stands twice"),
    (
        json.dumps(event())[:-1]
        + ', "where": {"all": [{"field": "category", "field": "product", "operator": "eq", "value": "a"}]}}',
        "where.all[0]",
        "'field' stands twice",
    ),
]


@pytest.mark.parametrize(("rule", "path", "words"), HOSTILE, ids=range(len(HOSTILE)))
def test_a_wrong_rule_is_refused_with_its_place_and_the_remedy(rule, path, words):
    with pytest.raises(InvalidRule) as refused:
        parse(rule, CATALOGUE)
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


def test_every_leaf_is_read():
    rules = [
        event(where=WINE, within={"last": 90, "unit": "day"}),
        event(measure="max", where={"all": [WINE, leaf("product", "is_missing")]}, missing="match"),
        event(event="cart_abandoned", measure="days_since_last", within={"to": "2026-01-31"}),
        opened(campaign=3, within={"from": "2026-01-01"}),
        opened(campaign={"channel": "direct_mail"}, did="was_sent"),
        {"in_segment": 7},
        half(to=12.5),
        leaf("attribute:12", "eq", "42 wide", missing="match"),
        leaf("tags", "has_all", ["vip", "press"]),
    ]
    assert parse({"any": rules}, CATALOGUE) == Group(
        Match.ANY,
        (
            EventRule(
                "purchase",
                "count",
                "gte",
                3,
                (FieldRule("category", "eq", "wine"),),
                Window(90, Unit.DAY),
            ),
            EventRule(
                "purchase",
                "max",
                "gte",
                3,
                (FieldRule("category", "eq", "wine"), FieldRule("product", "is_missing")),
                missing_matches=True,
            ),
            EventRule("cart_abandoned", "days_since_last", "gte", 3, within=Between(None, date(2026, 1, 31))),
            CampaignRule(Did.OPENED, campaign=3, within=Between(date(2026, 1, 1), None)),
            CampaignRule(Did.WAS_SENT, channel="direct_mail"),
            SegmentRule(7),
            RandomRule("autumn test", 0, 12.5),
            FieldRule("attribute:12", "eq", "42 wide", missing_matches=True),
            FieldRule("tags", "has_all", ("vip", "press")),
        ),
    )


def test_without_a_workspace_any_id_is_taken_and_no_field_of_its_own():
    parse({"all": [opened(campaign=2**31 - 1), {"in_segment": 123}]})
    with pytest.raises(InvalidRule, match="Unknown field 'attribute:12'"):
        parse(leaf("attribute:12", "eq", "x"))


def test_where_there_is_no_campaign_at_all_the_condition_must_go():
    empty = replace(CATALOGUE, campaigns={}, segments={})
    for rule in (opened(campaign=3), {"in_segment": 7}):
        with pytest.raises(InvalidRule, match="delete this condition"):
            parse(rule, empty)


def test_a_rule_is_as_long_as_its_json_without_blanks():
    """64 KiB are 65,536 bytes; with a blank behind each comma this would be longer."""
    rule = leaf("city", "in", [f"{number:062}" for number in range(1_000)])
    assert parse(json.dumps(rule, separators=(",", ":")))
    assert parse(rule)
    with pytest.raises(InvalidRule, match="64 KiB"):
        parse(leaf("city", "in", [f"{number:063}" for number in range(1_000)]))


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(nodes())
def test_a_rule_written_as_json_is_read_back_as_the_same_rule(node):
    written = to_json(node)
    assert parse(written, CATALOGUE) == node
    assert parse(json.dumps(written), CATALOGUE) == node
    assert json.dumps(to_json(parse(written, CATALOGUE))) == json.dumps(written)


_KEYS = (
    "all", "any", "none", "not", "field", "operator", "value", "unit", "missing", "event", "where", "measure",
    "within", "last", "from", "to", "campaign", "did", "channel", "in_segment", "random", "x", "", "\ud800",
)  # fmt: skip
_WORDS = (
    *list(FIELDS)[:3], "attribute:12", "attribute:", "purchase", "count", "eq", "between", "has_any", "any",
    "opened", "email", "day", "match", "2026-01-31", "\ud800", "\0", "",
)  # fmt: skip
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**31, -(2**63), 2**64, 10**400, float("nan"), float("inf"), 1e308, 5e-324])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(_WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(_JSON)
def test_anything_else_is_refused_as_an_invalid_rule(data):
    for rule in (data, json.dumps(data)) if isinstance(data, dict) else (json.dumps(data),):
        with contextlib.suppress(InvalidRule):
            parse(rule, CATALOGUE)


def _places(data: object) -> list[tuple[object, object]]:
    """Every place in a JSON value, as a container and a key or index in it."""
    keys = data.keys() if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
    return [place for key in keys for place in ((data, key), *_places(data[key]))]


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(nodes(), _JSON | st.sampled_from([object(), b"x", (), {1: 2}, {None}]), st.data())
def test_a_right_rule_with_anything_in_one_place_is_read_or_refused(node, anything, data):
    rule = to_json(node)
    container, key = data.draw(st.sampled_from(_places(rule)))
    container[key] = anything
    refused = ""
    try:
        read = parse(rule, CATALOGUE)
    except InvalidRule as error:
        refused = str(error)
    else:
        assert parse(to_json(read), CATALOGUE) == read
    # It can be shown: nothing that breaks the line or cannot be written as UTF-8.
    assert refused.isprintable()


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(nodes(), st.data())
def test_one_key_too_many_is_refused_wherever_it_stands(node, data):
    rule = to_json(node)
    objects = [rule, *(box[key] for box, key in _places(rule) if isinstance(box[key], dict))]
    data.draw(st.sampled_from(objects))["also"] = 1
    with pytest.raises(InvalidRule, match="Unknown key"):
        parse(rule, CATALOGUE)


def test_reading_stays_fast_whatever_is_given():
    name = "attribut" * 7_000
    began = time.perf_counter()
    for rule in (leaf(name, "eq", 1), event(event=name), {name: 1}, '{"a":1,' + '"b":1,' * 9_000 + '"c":1}'):
        with pytest.raises(InvalidRule):
            parse(rule, CATALOGUE)
    assert time.perf_counter() - began < 2


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
