"""The SQL against a plain Python evaluator, on SQLite and PostgreSQL, and the laws that every rule obeys."""

import shutil
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, or_, select

from ma.analytics.catalogue import catalogue
from ma.db import bulk
from ma.db.engine import connect
from ma.errors import InvalidRule
from ma.models import Customer, SegmentMember
from ma.rules.catalogue import Catalogue, KnownSegment
from ma.rules.check import parse
from ma.rules.fields import FIELDS, Kind
from ma.rules.nodes import Did, Group, Match, Not, SegmentRule, leaves
from ma.rules.operators import operators_of
from ma.rules.to_sql import condition, leaf_condition, leaf_undecided, members, undecided
from ma.text import fold
from tests.rules.any_rule import (
    ANY_LEAF,
    EVENT_MEASURE_OPERATORS,
    FIELD_LIST,
    RULES,
    campaign_leaves,
    event_leaves,
)
from tests.rules.doings import OWN, SEGMENTS, facts, with_facts
from tests.rules.evaluator import chooses, is_undecided
from tests.rules.people import INSTANTS, PEOPLE, ZONES, as_dicts, customers
from tests.rules.people import leaves as field_leaves

CITY = {"field": "city", "operator": "contains", "value": "ann"}
BOUGHT = {"event": "purchase", "measure": "count", "operator": "gte", "value": 2}
EVERYBODY = set(range(1, PEOPLE + 1))
# Generating takes most of the time; the databases are shared by all examples, which only read.
_SETTINGS = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "derandomize": True,
    "database": None,
}
_WHEN = {"as_of": st.sampled_from(INSTANTS), "timezone": st.sampled_from(ZONES)}
FIELD_OPERATORS = [(field, operator) for field in FIELD_LIST for operator in operators_of(field).values()]


@pytest.fixture(scope="module")
def people():
    """The customers as dicts, for the evaluator."""
    return with_facts(as_dicts(customers()))


@pytest.fixture(scope="module")
def sessions(template_sqlite, template_postgres, postgres_server, tmp_path_factory):
    """A reading session on SQLite and one on PostgreSQL, with the same customers and facts."""
    path = tmp_path_factory.mktemp("rules") / "ma.db"
    shutil.copy(template_sqlite, path)
    postgres_server.psql(f"CREATE DATABASE rules TEMPLATE {template_postgres}")
    databases = [connect(f"sqlite:///{path}"), connect(postgres_server.get_uri("rules"))]
    for database in databases:
        with database.writing() as session:
            bulk.insert(session, Customer.__table__, customers())
            for table, rows in facts().items():
                session.execute(table.__table__.insert(), rows)
    with databases[0].reading() as sqlite, databases[1].reading() as postgresql:
        yield sqlite, postgresql
    for database in databases:
        database.close()
    postgres_server.psql("DROP DATABASE rules WITH (FORCE)")


@pytest.fixture(scope="module")
def names(sessions):
    """The catalogue of the shared workspace, with own fields, campaigns and segments."""
    return catalogue(sessions[0])


def chosen(session, rule: dict, as_of, timezone: str, names: Catalogue) -> set[int]:
    when = {"as_of": as_of, "timezone": timezone, "catalogue": names}
    return set(session.scalars(members(parse(rule, names), **when)))


def expected(people, rule: dict, as_of, timezone: str) -> set[int]:
    return {person["id"] for person in people if chooses(rule, person, as_of=as_of, timezone=timezone)}


@settings(max_examples=80, **_SETTINGS)
@given(rule=RULES, **_WHEN)
def test_sql_chooses_whom_plain_python_chooses(sessions, people, names, rule, as_of, timezone):
    wanted = expected(people, rule, as_of, timezone)
    holds = condition(parse(rule, names), as_of=as_of, timezone=timezone, catalogue=names)
    for session in sessions:
        assert chosen(session, rule, as_of, timezone, names) == wanted
        # Never NULL: it may be negated, and stand in a column.
        found = session.execute(select(Customer.id, holds).where(Customer.deleted_at.is_(None)))
        assert {customer_id: bool(true) for customer_id, true in found if true is not None} == {
            person["id"]: person["id"] in wanted for person in people
        }


@settings(max_examples=40, **_SETTINGS)
@given(rule=RULES, **_WHEN)
def test_sql_knows_whom_missing_data_decides(sessions, people, names, rule, as_of, timezone):
    leave_open(sessions, people, names, rule, as_of, timezone)


@pytest.mark.parametrize("rule", [{"none": [CITY]}, {"not": {"not": {"not": CITY}}}], ids=["none", "not"])
def test_sql_knows_whom_a_negated_text_leaves_open(sessions, people, names, rule):
    """NOT a LIKE b IS NULL would mean NOT (a LIKE b IS NULL)."""
    leave_open(sessions, people, names, rule, INSTANTS[0], "UTC")


def leave_open(sessions, people, names, rule: dict, as_of, timezone: str) -> None:
    when = {"as_of": as_of, "timezone": timezone}
    wanted = {person["id"] for person in people if is_undecided(rule, person, **when)}
    left_open = undecided(parse(rule, names), **when, catalogue=names)
    for session in sessions:
        assert set(session.scalars(select(Customer.id).where(left_open))) == wanted


def agree(sessions, people, names, rule: dict, as_of, timezone: str) -> None:
    """The SQL of a leaf by itself: whom it chooses and whom it leaves open."""
    when = {"as_of": as_of, "timezone": timezone}
    leaf = parse(rule, names)
    wanted = {
        person["id"]: (chooses(rule, person, **when), is_undecided(rule, person, **when)) for person in people
    }
    columns = (leaf_condition(leaf, **when, catalogue=names), leaf_undecided(leaf, **when, catalogue=names))
    for session in sessions:
        rows = session.execute(select(Customer.id, *(func.coalesce(column, None) for column in columns)))
        found = {row[0]: (row[1], row[2]) for row in rows}
        assert found == wanted, (rule, when)


@pytest.mark.parametrize("kind", sorted({field.kind for field in FIELDS.values()}))
def test_every_field_and_operator_agrees_with_plain_python(sessions, people, names, kind):
    pairs = [pair for pair in FIELD_OPERATORS if pair[0].kind is kind]

    @settings(max_examples=2 if len(pairs) > 20 else 4, **_SETTINGS)
    @given(data=st.data())
    def check(data):
        for field, operator in pairs:
            rule = data.draw(field_leaves(field, operator))
            agree(sessions, people, names, rule, *(data.draw(choice) for choice in _WHEN.values()))

    check()


@pytest.mark.parametrize("event", sorted({event.name for event, _, _ in EVENT_MEASURE_OPERATORS}))
def test_every_event_measure_and_operator_agrees_with_plain_python(sessions, people, names, event):
    ways = [way for way in EVENT_MEASURE_OPERATORS if way[0].name == event]

    @settings(max_examples=2 if event == "purchase" else 1, **_SETTINGS)
    @given(data=st.data())
    def check(data):
        for way in ways:
            rule = data.draw(event_leaves(*way))
            agree(sessions, people, names, rule, *(data.draw(choice) for choice in _WHEN.values()))

    check()


@pytest.mark.parametrize("did", list(Did))
def test_every_interaction_agrees_with_plain_python(sessions, people, names, did):
    @settings(max_examples=6, **_SETTINGS)
    @given(rule=campaign_leaves(did.value), **_WHEN)
    def check(rule, as_of, timezone):
        agree(sessions, people, names, rule, as_of, timezone)

    check()


@settings(max_examples=10, **_SETTINGS)
@given(a=RULES, b=RULES, **_WHEN)
def test_laws_of_logic_hold(sessions, names, a, b, as_of, timezone):
    def ids(rule):
        found = [chosen(session, rule, as_of, timezone, names) for session in sessions]
        assert found[0] == found[1]
        return found[0]

    assert ids({"not": a}) == EVERYBODY - ids(a)
    assert ids({"not": {"all": [a, b]}}) == ids({"any": [{"not": a}, {"not": b}]})
    assert ids({"none": [a, b]}) == ids({"all": [{"not": a}, {"not": b}]}) == ids({"not": {"any": [b, a]}})
    assert ids({"all": [a, b]}) == ids({"all": [b, a]}) == ids(a) & ids(b)
    assert ids({"any": [a, b]}) == ids({"any": [b, a]}) == ids(a) | ids(b)


@settings(max_examples=15, **_SETTINGS)
@given(inner=RULES, beside=ANY_LEAF, **_WHEN)
def test_a_segment_in_a_rule_means_its_rule_written_there(sessions, names, inner, beside, as_of, timezone):
    known = Catalogue(
        names.fields, names.events, names.campaigns, {**names.segments, 9: KnownSegment("9", inner)}
    )
    when = {"as_of": as_of, "timezone": timezone, "catalogue": known}

    def around(rule):
        return Group(Match.ANY, (Group(Match.ALL, (rule, parse(beside, names))), Not(rule)))

    named, written_out = around(SegmentRule(9)), around(parse(inner, names))
    for session in sessions:
        for meaning in (condition, undecided):
            ids = [
                set(session.scalars(select(Customer.id).where(meaning(rule, **when))))
                for rule in (named, written_out)
            ]
            assert ids[0] == ids[1]


def test_a_segment_used_several_times_stands_in_the_statement_once(sessions, names):
    when = {"as_of": INSTANTS[0], "timezone": "UTC", "catalogue": names}
    columns = [leaf_condition(SegmentRule(2), **when), leaf_undecided(SegmentRule(2), **when)]
    again = condition(parse({"any": [{"in_segment": 2}, {"in_segment": 4}]}, names), **when)
    text = str(select(Customer.id, *columns).where(or_(again, *columns)))
    # Once in the query of its members, once in that of those left open.
    assert text.count("birth_date > :") == 2
    for session in sessions:
        session.execute(select(Customer.id, *columns).where(or_(again, *columns))).all()


def test_stored_members_are_taken_instead_of_the_rule(sessions, names):
    when = {"as_of": INSTANTS[-2], "timezone": "UTC", "catalogue": names}
    for session in sessions:
        # Nobody is on the list of segment 3: it was never refreshed.
        assert list(session.scalars(members(SegmentRule(3), **when, stored=frozenset({3})))) == []
        assert list(session.scalars(members(SegmentRule(3), **when))) != []
        entered = select(SegmentMember.customer_id).where(SegmentMember.entered_at <= when["as_of"])
        assert set(session.scalars(members(SegmentRule(1), **when))) == set(session.scalars(entered))


def test_a_segment_that_uses_itself_or_is_gone_is_refused(names):
    when = {"as_of": INSTANTS[0], "timezone": "UTC"}
    segments = {
        1: KnownSegment("One", {"any": [BOUGHT, {"in_segment": 2}]}),
        2: KnownSegment("Two", {"not": {"in_segment": 1}}),
    }
    known = Catalogue(segments=segments)
    with pytest.raises(InvalidRule, match="uses itself"):
        members(SegmentRule(2), **when, catalogue=known)
    with pytest.raises(InvalidRule, match="no segment '3'"):
        members(SegmentRule(3), **when, catalogue=known)


@pytest.mark.parametrize("operator", ["lt", "lte", "eq", "in", "between", "ne", "not_in"])
def test_people_without_any_event_have_none_and_a_sum_of_0(sessions, people, names, operator):
    never = {person["id"] for person in people if not any(e["event"] == "visit" for e in person["events"])}
    assert never
    values = {"in": [0, 7], "not_in": [1, 2], "between": [0, 1], "ne": 2, "lt": 1}
    rule = {"event": "visit", "measure": "count", "operator": operator, "value": values.get(operator, 0)}
    for session in sessions:
        found = chosen(session, rule, datetime(2100, 1, 1, tzinfo=UTC), "UTC", names)
        assert never <= found
        opposite = chosen(session, {"not": rule}, datetime(2100, 1, 1, tzinfo=UTC), "UTC", names)
        assert found | opposite == EVERYBODY
        assert not found & opposite


def test_an_average_is_compared_without_rounding(database):
    """Of 1, 0 and 0: a third, which is more than 0 and less than 1."""
    frame = customers().head(1)
    orders = [
        {"id": i, "customer_id": 1, "kind": "sale", "at": INSTANTS[0], "amount_minor": amount}
        for i, amount in enumerate([1, 0, 0], 1)
    ]
    with database.writing() as session:
        bulk.insert(session, Customer.__table__, frame)
        session.execute(facts_table("purchase").insert(), orders)
    with database.reading() as session:
        for operator, value, is_in in [("gt", 0, True), ("lt", 1, True), ("eq", 0, False), ("gte", 1, False)]:
            rule = {"event": "purchase", "measure": "avg", "operator": operator, "value": value}
            assert chosen(session, rule, INSTANTS[0], "UTC", Catalogue()) == ({1} if is_in else set())


def facts_table(name: str):
    return next(table.__table__ for table in facts() if table.__tablename__ == name)


@pytest.mark.parametrize(
    ("operator", "value", "found"),
    [
        ("contains", " van ", {"Jan van Berg"}),
        ("not_contains", " van ", {"Ivan", "Vanessa", "van Berg"}),
        ("starts_with", " van ", {"van Berg"}),
        ("ends_with", " berg ", {"Jan van Berg", "van Berg"}),
        ("ends_with", " ivan ", set()),
        ("eq", " ivan ", {"Ivan"}),
        ("in", ["vanessa ", "\u00a0ivan"], {"Ivan", "Vanessa"}),
    ],
)
def test_blanks_around_a_part_of_a_text_stand_between_words(database, operator, value, found):
    cities = ["Ivan", "Vanessa", "van Berg", "Jan van Berg"]
    frame = customers().head(4).assign(city=cities, city_folded=[fold(city) for city in cities])
    frame["postal_code"] = cities
    with database.writing() as session:
        bulk.insert(session, Customer.__table__, frame)
    with database.reading() as session:
        for field in ("city", "postal_code"):
            rule = {"field": field, "operator": operator, "value": value}
            ids = chosen(session, rule, INSTANTS[0], "UTC", Catalogue())
            assert {cities[i - 1] for i in ids} == found


def test_deleted_customers_are_never_chosen(database):
    frame = customers().head(3).assign(deleted_at=[None, INSTANTS[0], None])
    with database.writing() as session:
        bulk.insert(session, Customer.__table__, frame)
    inner = {"field": "orders", "operator": "gte", "value": 0}
    known = Catalogue(segments={1: KnownSegment("All", inner)})
    for rule in (inner, {"field": "orders", "operator": "lt", "value": 0}, BOUGHT, {"in_segment": 1}):
        with database.reading() as session:
            found = chosen(session, {"any": [rule, {"not": rule}]}, INSTANTS[0], "UTC", known)
        assert found == {1, 3}


@pytest.mark.parametrize("kind", ["field", "event", "segment"])
def test_the_largest_rule_runs(sessions, people, names, kind):
    leaf = {
        "field": {"field": "age", "operator": "in", "value": [0, 2, 4, 6, 8]},
        "event": BOUGHT | {"where": {"field": "category", "operator": "eq", "value": "wine"}},
        "segment": {"in_segment": 4},
    }[kind]
    rule = {"any": [leaf] * (190 if kind == "field" else 95)}
    for _ in range(9):
        rule = {"all": [rule, {"field": "orders", "operator": "gte", "value": 0}]}
    for session in sessions:
        found = chosen(session, rule, INSTANTS[0], "UTC", names)
        assert found == expected(people, leaf, INSTANTS[0], "UTC")


def test_values_never_stand_in_the_sql(names):
    text = "x'; DROP TABLE customer; --"
    rules = [
        {"field": "city", "operator": "contains", "value": text},
        {"field": OWN[0].name, "operator": "eq", "value": text},
        {"field": "tags", "operator": "has_all", "value": [text]},
        {"random": text, "from": 0, "to": 1},
        BOUGHT | {"where": {"field": "category", "operator": "eq", "value": text}},
    ]
    when = {"as_of": INSTANTS[0], "timezone": "UTC", "catalogue": names}
    assert "DROP" not in str(members(parse({"all": rules}, names), **when))


def test_generated_rules_reach_every_kind_of_leaf(names):
    """What the tests above draw from has all of them; the segments too."""
    kinds = set()

    @settings(max_examples=100, **_SETTINGS)
    @given(rule=RULES)
    def look(rule):
        kinds.update(type(leaf).__name__ for leaf in leaves(parse(rule, names)))

    look()
    assert kinds == {"FieldRule", "EventRule", "CampaignRule", "SegmentRule", "RandomRule"}
    assert {field.kind for field in OWN} >= {Kind.TEXT, Kind.NUMBER, Kind.YES_NO, Kind.DATE, Kind.LIST}
    assert set(SEGMENTS) <= set(names.segments)


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [("2000-02-29", "2025-02-28", 24), ("2000-02-29", "2025-03-01", 25), ("2000-03-01", "2024-02-29", 23)],
)
def test_age_grows_on_1_march_for_those_born_on_29_february(database, born, day, age):
    frame = customers().head(1).assign(birth_date=date.fromisoformat(born))
    with database.writing() as session:
        bulk.insert(session, Customer.__table__, frame)
    as_of = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
    with database.reading() as session:
        for value in (age - 1, age, age + 1):
            rule = {"field": "age", "operator": "eq", "value": value}
            assert chosen(session, rule, as_of, "UTC", Catalogue()) == ({1} if value == age else set())
