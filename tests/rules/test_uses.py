"""What rules use: other segments, own fields, and values that are those of today."""

from dataclasses import replace

import pytest

from ma.rules.catalogue import KnownSegment
from ma.rules.check import parse
from ma.rules.fields import FIELDS
from ma.rules.uses import attributes_used, cycle, present_values, segments_used
from tests.rules.generated import CATALOGUE

AGE = {"field": "age", "operator": "gte", "value": 30}
EMAIL = {"field": "consent_email", "operator": "eq", "value": True}
BOUGHT = {
    "event": "purchase",
    "where": {"field": "category", "operator": "eq", "value": "wine"},
    "measure": "count",
    "operator": "gte",
    "value": 3,
}


def knowing(**rules):
    """A catalogue whose segments have these rules: s1=…, s2=…"""
    segments = {int(name[1:]): KnownSegment(name, rule) for name, rule in rules.items()}
    return replace(CATALOGUE, segments=segments)


def within(*ids):
    return {"any": [{"in_segment": number} for number in ids]}


def test_segments_and_own_fields_of_a_rule_are_found_wherever_they_stand():
    rule = {
        "all": [
            {"not": {"in_segment": 7}},
            {"any": [{"in_segment": 7}, {"field": "attribute:12", "operator": "eq", "value": "x"}]},
            {"none": [{"field": "attribute:17", "operator": "is_set"}, BOUGHT]},
        ]
    }
    node = parse(rule, CATALOGUE)
    assert segments_used(node) == {7}
    assert attributes_used(node) == {12, 17}
    assert (segments_used(parse(AGE)), attributes_used(parse(AGE))) == (set(), set())


# The rule of segment 1, the rules of others, and the way back to 1.
CYCLES = [
    (within(1), {}, [1, 1]),
    ({"not": {"in_segment": 1}}, {}, [1, 1]),
    (within(2), {"s2": AGE}, None),
    (within(2), {"s2": None}, None),
    (within(2), {"s2": within(1)}, [1, 2, 1]),
    (within(2, 3), {"s2": AGE, "s3": within(4), "s4": {"not": within(1)}}, [1, 3, 4, 1]),
    (within(2, 3), {"s2": within(3), "s3": within(4), "s4": AGE}, None),
    # Others go round among themselves, or are gone, or are no longer valid.
    (within(2), {"s2": within(3), "s3": within(2)}, None),
    (within(9), {}, None),
    (within(2), {"s2": {"all": [{"field": "gone"}, {"in_segment": 1}]}}, [1, 2, 1]),
    (within(2), {"s2": {"all": "?", "not": [3, {"in_segment": "1"}]}}, None),
    (within(2), {"s2": [1]}, None),
]


@pytest.mark.parametrize(("rule", "others", "way"), CYCLES, ids=range(len(CYCLES)))
def test_a_way_back_to_the_segment_itself_is_found(rule, others, way):
    assert cycle(1, parse(rule), knowing(**others)) == way


def test_the_shortest_way_back_is_told():
    others = {"s2": within(3), "s3": within(4), "s4": within(1), "s5": within(1)}
    assert cycle(1, parse(within(2, 5)), knowing(**others)) == [1, 5, 1]


def test_a_thousand_segments_in_a_chain_are_no_cycle():
    chain = {f"s{n}": within(n + 1, n + 2) for n in range(2, 1000)}
    assert cycle(1, parse(within(2)), knowing(**chain)) is None
    assert cycle(1, parse(within(2)), knowing(**chain, s1000=within(1)))[-2:] == [1000, 1]


def test_present_values_are_named():
    rule = {
        "all": [
            AGE,
            EMAIL,
            BOUGHT,
            {"campaign": "any", "did": "opened"},
            AGE,
            {"field": "tags", "operator": "is_set"},
        ]
    }
    assert present_values(parse(rule)) == ["age", "tags"]
    assert present_values(parse({"all": [EMAIL, BOUGHT, {"random": "a", "from": 0, "to": 5}]})) == []


def test_present_values_of_segments_and_lists_in_a_rule_are_named():
    known = knowing(s1={"all": [AGE, {"in_segment": 2}, {"in_segment": 3}]}, s2=None, s3=within(1))
    assert present_values(parse({"in_segment": 1}, known), known) == ["age", "list “s2”"]
    assert present_values(parse({"in_segment": 1})) == []


def test_only_consent_is_known_for_every_moment():
    exact = [
        name
        for name, field in FIELDS.items()
        if not present_values(
            parse(
                {"field": name, "operator": "is_set"}
                if field.can_be_missing
                else {"field": name, "operator": "eq", "value": True if name.startswith("consent") else 1}
            )
        )
    ]
    assert exact == [name for name in FIELDS if name.startswith("consent_")]
