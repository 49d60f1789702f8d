"""How far a rule goes with the segments that it uses."""

from dataclasses import replace

import pytest

from ma.errors import InvalidRule
from ma.rules.catalogue import KnownSegment
from ma.rules.check import parse
from ma.rules.nesting import (
    MAX_NESTED,
    MAX_VALUES_WRITTEN_OUT,
    MAX_WRITTEN_OUT,
    Extent,
    extents,
    pushed_too_far,
)
from tests.rules.generated import CATALOGUE

AGE = {"field": "age", "operator": "gte", "value": 30}
CITIES = {"field": "city", "operator": "in", "value": [f"c{number}" for number in range(1000)]}
WINE = {
    "event": "purchase",
    "where": {"field": "category", "operator": "in", "value": ["wine", "beer"]},
    "measure": "count",
    "operator": "gte",
    "value": 3,
}


def knowing(rules):
    """A catalogue whose segments have these rules, by id; None for a static list."""
    segments = {number: KnownSegment(f"s{number}", rule) for number, rule in rules.items()}
    return replace(CATALOGUE, segments=segments)


def uses(*ids):
    return {"any": [{"in_segment": number} for number in ids]}


def chain(length, first=AGE):
    """Segment 1 has the first rule, each further one uses the one before."""
    return {1: first} | {number: uses(number - 1) for number in range(2, length + 1)}


def test_conditions_and_values_are_counted_as_they_are_written_out():
    rules = {
        1: AGE,
        2: None,
        3: {"all": [WINE, {"not": CITIES}]},
        4: uses(1, 2, 3),
        5: uses(4, 4),
        6: uses(9),
    }
    assert extents(rules) == {
        1: Extent(0, 1, 1),
        2: Extent(0, 0, 0),
        # The condition on purchases holds one on categories.
        3: Extent(0, 3, 1003),
        4: Extent(1, 3 + 1 + 3, 3 + 1 + 1003),
        5: Extent(2, 2 + 2 * 7, 2 + 2 * 1007),
        6: Extent(1, 1, 1),
    }


def test_a_long_chain_and_a_circle_are_counted_without_end():
    assert extents(chain(5000))[5000].deep == 4999
    assert {one.deep for one in extents({1: uses(2), 2: uses(1)}).values()} == {1, 2}
    doubled = {1: AGE} | {number: uses(number - 1, number - 1) for number in range(2, 200)}
    assert extents(doubled)[199].conditions == 2**199 + 2**198 - 2


TOO_FAR = [
    (uses(11), chain(11), "more than 10 deep. Make one of them a static list"),
    (uses(1, 1), {1: uses(*[2] * 99), 2: {"any": [AGE] * 10}}, "more than 2,000 conditions"),
    (uses(*[1] * 10), {1: CITIES}, "more than 10,000 values. Make a large one of them a static list"),
]


@pytest.mark.parametrize(("rule", "others", "words"), TOO_FAR)
def test_a_rule_that_goes_too_far_is_refused_with_the_remedy(rule, others, words):
    with pytest.raises(InvalidRule, match=words):
        parse(rule, knowing(others))
    # Among several, and where nothing is known of them.
    with pytest.raises(InvalidRule, match=words):
        parse({"all": [AGE, {"not": rule}]}, knowing(others))
    assert parse(rule, replace(CATALOGUE, segments=None))


AT_THE_LIMIT = [
    (uses(10), chain(10), Extent(MAX_NESTED, 11, 11)),
    (uses(*[1] * 20), {1: {"any": [AGE] * 99}}, Extent(1, MAX_WRITTEN_OUT, MAX_WRITTEN_OUT)),
    (uses(*[1] * 10), {1: CITIES | {"value": CITIES["value"][:999]}}, Extent(1, 20, MAX_VALUES_WRITTEN_OUT)),
]


@pytest.mark.parametrize(("rule", "others", "extent"), AT_THE_LIMIT)
def test_what_just_reaches_the_limit_is_accepted(rule, others, extent):
    assert parse(rule, knowing(others))
    assert extents(others | {99: rule})[99] == extent


def test_a_rule_that_pushes_its_users_too_far_is_found():
    known = knowing(chain(11) | {50: AGE, 51: uses(50)})
    assert pushed_too_far(1, CITIES, known) is None
    assert pushed_too_far(1, uses(50), known) == 11
    # Nobody further up: they may go as far as they like.
    assert pushed_too_far(11, uses(51), known) is None
    # What goes too far already may come nearer.
    deep = knowing(chain(20))
    assert pushed_too_far(15, AGE, deep) is None
    assert pushed_too_far(15, uses(1), deep) is None
    assert pushed_too_far(12, uses(11, 11), deep) is not None
