"""The SQL against a plain Python evaluator, on SQLite and PostgreSQL, and the laws that every rule obeys."""

import shutil
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from ma.db import bulk
from ma.db.engine import connect
from ma.models import Customer
from ma.rules.check import parse
from ma.rules.fields import FIELDS
from ma.rules.nodes import to_json
from ma.rules.operators import operators_of
from ma.rules.to_english import english
from ma.rules.to_sql import members, undecided
from tests.rules.evaluator import chooses, is_undecided
from tests.rules.people import INSTANTS, PEOPLE, RULES, ZONES, as_dicts, customers, leaves

CITY = {"field": "city", "operator": "contains", "value": "ann"}
EVERYBODY = set(range(1, PEOPLE + 1))
# Generating takes most of the time; the databases are shared by all examples, which only read.
_SETTINGS = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "derandomize": True,
    "database": None,
}
FIELD_OPERATORS = [
    (field, operator) for field in FIELDS.values() for operator in operators_of(field).values()
]


@pytest.fixture(scope="module")
def people():
    """The customers as dicts, for the evaluator."""
    return as_dicts(customers())


@pytest.fixture(scope="module")
def sessions(template_sqlite, template_postgres, postgres_server, tmp_path_factory):
    """A reading session on SQLite and one on PostgreSQL, with the same customers."""
    path = tmp_path_factory.mktemp("rules") / "ma.db"
    shutil.copy(template_sqlite, path)
    postgres_server.psql(f"CREATE DATABASE rules TEMPLATE {template_postgres}")
    databases = [connect(f"sqlite:///{path}"), connect(postgres_server.get_uri("rules"))]
    for database in databases:
        with database.writing() as session:
            bulk.insert(session, Customer.__table__, customers())
    with databases[0].reading() as sqlite, databases[1].reading() as postgresql:
        yield sqlite, postgresql
    for database in databases:
        database.close()
    postgres_server.psql("DROP DATABASE rules WITH (FORCE)")


def chosen(session, rule: dict, as_of, timezone: str) -> set[int]:
    return set(session.scalars(members(parse(rule), as_of=as_of, timezone=timezone)))


def expected(people, rule: dict, as_of, timezone: str) -> set[int]:
    return {person["id"] for person in people if chooses(rule, person, as_of=as_of, timezone=timezone)}


@settings(max_examples=150, **_SETTINGS)
@given(rule=RULES, as_of=st.sampled_from(INSTANTS), timezone=st.sampled_from(ZONES))
def test_sql_chooses_whom_plain_python_chooses(sessions, people, rule, as_of, timezone):
    wanted = expected(people, rule, as_of, timezone)
    for session in sessions:
        assert chosen(session, rule, as_of, timezone) == wanted


@settings(max_examples=40, **_SETTINGS)
@example(rule={"none": [CITY]}, as_of=INSTANTS[0], timezone="UTC")
@example(rule={"not": {"not": {"not": CITY}}}, as_of=INSTANTS[0], timezone="UTC")
@given(rule=RULES, as_of=st.sampled_from(INSTANTS), timezone=st.sampled_from(ZONES))
def test_sql_knows_whom_missing_data_decides(sessions, people, rule, as_of, timezone):
    when = {"as_of": as_of, "timezone": timezone}
    wanted = {person["id"] for person in people if is_undecided(rule, person, **when)}
    for session in sessions:
        assert set(session.scalars(select(Customer.id).where(undecided(parse(rule), **when)))) == wanted


@pytest.mark.parametrize("kind", sorted({field.kind for field in FIELDS.values()}))
def test_every_field_and_operator_agrees_with_plain_python(sessions, people, kind):
    pairs = [pair for pair in FIELD_OPERATORS if pair[0].kind is kind]

    @settings(max_examples=3 if len(pairs) > 20 else 12, **_SETTINGS)
    @given(data=st.data())
    def check(data):
        for field, operator in pairs:
            rule = data.draw(leaves(field, operator))
            as_of, timezone = data.draw(st.sampled_from(INSTANTS)), data.draw(st.sampled_from(ZONES))
            wanted = expected(people, rule, as_of, timezone)
            for session in sessions:
                assert chosen(session, rule, as_of, timezone) == wanted, rule

    check()


@settings(max_examples=15, **_SETTINGS)
@given(a=RULES, b=RULES, as_of=st.sampled_from(INSTANTS), timezone=st.sampled_from(ZONES))
def test_laws_of_logic_hold(sessions, a, b, as_of, timezone):
    def ids(rule):
        found = [chosen(session, rule, as_of, timezone) for session in sessions]
        assert found[0] == found[1]
        return found[0]

    assert ids({"not": a}) == EVERYBODY - ids(a)
    assert ids({"not": {"all": [a, b]}}) == ids({"any": [{"not": a}, {"not": b}]})
    assert ids({"none": [a, b]}) == ids({"all": [{"not": a}, {"not": b}]}) == ids({"not": {"any": [b, a]}})
    assert ids({"all": [a, b]}) == ids({"all": [b, a]}) == ids(a) & ids(b)
    assert ids({"any": [a, b]}) == ids({"any": [b, a]}) == ids(a) | ids(b)


@settings(max_examples=150, **_SETTINGS)
@given(rule=RULES)
def test_a_rule_reads_back_as_itself_and_as_a_sentence(rule):
    node = parse(rule)
    assert parse(to_json(node)) == node
    assert to_json(node) == rule
    sentence = english(node, currency="EUR")
    assert sentence.startswith("Customers where ")
    assert sentence.endswith(".")
    assert "{" not in sentence.replace("“{", "") or "{" in str(rule)


def test_deleted_customers_are_never_chosen(database):
    frame = customers().head(3).assign(deleted_at=[None, INSTANTS[0], None])
    with database.writing() as session:
        bulk.insert(session, Customer.__table__, frame)
    for rule in (
        {"field": "orders", "operator": "gte", "value": 0},
        {"field": "orders", "operator": "lt", "value": 0},
    ):
        with database.reading() as session:
            found = chosen(session, {"any": [rule, {"not": rule}]}, INSTANTS[0], "UTC")
        assert found == {1, 3}


def test_the_largest_rule_runs(sessions, people):
    leaf = {"field": "age", "operator": "in", "value": [0, 2, 4, 6, 8]}
    rule = {"any": [leaf] * 190}
    for _ in range(9):
        rule = {"all": [rule, {"field": "orders", "operator": "gte", "value": 0}]}
    for session in sessions:
        assert chosen(session, rule, INSTANTS[0], "UTC") == expected(people, leaf, INSTANTS[0], "UTC")


def test_values_never_stand_in_the_sql():
    rule = {"field": "city", "operator": "contains", "value": "x'; DROP TABLE customer; --"}
    assert "DROP" not in str(members(parse(rule), as_of=INSTANTS[0], timezone="UTC"))


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
            found = chosen(session, {"field": "age", "operator": "eq", "value": value}, as_of, "UTC")
            assert found == ({1} if value == age else set())
