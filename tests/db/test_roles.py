"""Roles of PostgreSQL: each module's process does its work with its own login, and is refused elsewhere."""

import json
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import make_url

from ma import clock
from ma.db import migrate, roles
from ma.db.engine import connect
from ma.errors import Conflict, InvalidInput, NotReady
from ma.events import outbox
from ma.events.broker import RedisBroker
from ma.events.housekeeping import Housekeeping
from ma.events.relay import relay_once
from ma.models import SCHEMAS, Base, Webhook, WebhookType
from ma.services.workspace import create_workspace
from ma.types import SYSTEM
from tests.cli_in_process import run
from tests.postgres_roles import guarded
from tests.subscribers.bus_world import AT, bought, leads, subscriber

PREFIX = "t_"
PASSWORDS = {name: f"secret-of-{name}" for name in roles.ROLES}
REFUSED = (psycopg.errors.InsufficientPrivilege,)


@pytest.fixture(scope="module")
def owned(postgres_server, template_postgres):
    """The address of a database with roles, as its owner."""
    with guarded(postgres_server, template=template_postgres, prefix=PREFIX) as url:
        database = connect(url)
        roles.set_up(database, prefix=PREFIX, passwords=PASSWORDS)
        with database.writing() as session:
            create_workspace(session, SYSTEM, name="Shop", timezone="UTC", currency="EUR", at=AT)
        database.close()
        yield url


def address(url, role, password=None, prefix=PREFIX):
    """The same database for one of the roles."""
    login = {"username": prefix + role, "password": password or PASSWORDS[role]}
    return make_url(url).set(**login).render_as_string(hide_password=False)


@contextmanager
def signed_in(url, role):
    database = connect(address(url, role))
    try:
        yield database
    finally:
        database.close()


def tables(url):
    """Every table of every module."""
    query = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s)"
    with psycopg.connect(url) as connection:
        return connection.execute(query, [list(SCHEMAS)]).fetchall()


def refused(connection, statement) -> bool:
    """Whether the server forbids it; what it allows is not kept."""
    try:
        connection.execute(statement)
    except REFUSED:
        return True
    finally:
        connection.rollback()
    return False


def allowed(url, role, prefix=PREFIX) -> dict[str, set[str]]:
    """The tables of each schema that a role may read or change in any way."""
    found = {schema: set() for schema in SCHEMAS}
    with psycopg.connect(address(url, role, prefix=prefix)) as connection:
        for schema, table in tables(url):
            tried = (
                f"SELECT count(*) FROM {schema}.{table}",
                f"INSERT INTO {schema}.{table} DEFAULT VALUES",
                f"DELETE FROM {schema}.{table}",
                f"TRUNCATE {schema}.{table} CASCADE",
                f"DROP TABLE {schema}.{table} CASCADE",
            )
            for statement in tried:
                try:
                    if not refused(connection, statement):
                        found[schema].add(table)
                except psycopg.errors.IntegrityError:
                    # It was let in, and only the row was wrong.
                    found[schema].add(table)
    return found


@pytest.mark.parametrize("role", ["sales", "service"])
def test_a_module_has_its_own_schema_and_of_others_the_version_alone(owned, role):
    mine = {table for schema, table in tables(owned) if schema == role}
    assert len(mine) > 5
    others = {schema: set() for schema in SCHEMAS}
    assert allowed(owned, role) == others | {role: mine, "ma": {"alembic_version"}}
    with psycopg.connect(address(owned, role)) as connection:
        assert refused(connection, "UPDATE ma.alembic_version SET version_num = '0001'")
        assert refused(connection, f"CREATE TABLE {role}.more (id int)")
        assert refused(connection, "CREATE SCHEMA more")


def test_the_marketing_module_is_refused_by_the_others(owned):
    found = allowed(owned, "ma")
    assert {table.name for table in Base.metadata.sorted_tables} <= found["ma"]
    assert (found["sales"], found["service"]) == (set(), set())


def test_the_relay_sees_events_and_no_customer(owned):
    bus = [(schema, f"{schema}_{kind}") for schema in SCHEMAS for kind in ("inbox", "dead_letter")]
    bus += [("ma", f"webhook{kind}") for kind in ("", "_type", "_inbox", "_dead_letter")]
    bus += [("ma", "outbox_event"), ("sales", "sales_outbox"), ("service", "service_outbox")]
    expected = {schema: {table for of, table in bus if of == schema} for schema in SCHEMAS}
    expected["ma"].add("alembic_version")
    assert allowed(owned, "relay") == expected
    with psycopg.connect(address(owned, "relay")) as connection:
        assert refused(connection, "UPDATE sales.sales_outbox SET payload = '{}'")
        assert refused(connection, "SELECT url FROM ma.webhook")
        assert refused(connection, "SELECT salt FROM ma.webhook")
        assert refused(connection, "INSERT INTO sales.sales_inbox VALUES ('a', now())")


def test_the_app_reaches_all_modules(owned):
    found = allowed(owned, "workbench")
    assert all(found[schema] == {table for of, table in tables(owned) if of == schema} for schema in SCHEMAS)


def test_a_wrong_password_opens_nothing(owned):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address(owned, "sales", "secret-of-service"))


def test_each_process_does_its_work_with_its_own_login(owned, redis_server):
    with signed_in(owned, "workbench") as app:
        migrate.require_current(app)
        with app.writing() as session:
            # Whether somebody outside wants them is asked, too.
            to = {"url": "https://crm.example.com/hook", "name": "CRM", "salt": "", "secret_hash": ""}
            session.add(Webhook(id=1, **to, created_at=AT, created_by="ann"))
            session.flush()
            session.add(WebhookType(webhook_id=1, type="LeadsOpened", since=AT))
            outbox.record_all(session, [bought(1), bought(2)], at=AT)
        broker = RedisBroker(redis_server.url)
        with signed_in(owned, "relay") as relaying:
            migrate.require_current(relaying)
            assert relay_once(relaying, broker, at=AT) == 2
            acted = {}
            for name in ("sales", "service", "ma"):
                with signed_in(owned, name) as database:
                    migrate.require_current(database)
                    one = subscriber(database, redis_server.url, name)
                    acted[name] = one.step(wait_seconds=0.02)
                    # What Sales tells of its leads goes on to the marketing module.
                    relay_once(relaying, broker, at=AT)
                    one.close()
            Housekeeping().tidy(relaying, broker, now=clock.now())
        broker.close()
        assert acted == {"sales": 2, "service": 2, "ma": 1}
        assert [lead[0] for lead in leads(app)] == [1, 2]


def test_the_same_again_changes_nothing_and_repairs_what_was_loosened(owned):
    owner = connect(owned)
    with psycopg.connect(owned, autocommit=True) as connection:
        connection.execute(f"GRANT SELECT ON ma.customer TO {PREFIX}sales")
        connection.execute("CREATE TABLE sales.of_the_next_version (id int)")
    found = roles.set_up(owner, prefix=PREFIX)
    owner.close()
    assert [(role.created, role.password) for role in found] == [(False, None)] * len(roles.ROLES)
    reached = allowed(owned, "sales")
    assert reached["ma"] == {"alembic_version"}
    assert "of_the_next_version" in reached["sales"]
    with psycopg.connect(owned, autocommit=True) as connection:
        connection.execute("DROP TABLE sales.of_the_next_version")


def test_a_login_that_owns_nothing_is_told_who_must_upgrade(owned):
    with signed_in(owned, "workbench") as database:
        assert migrate.upgrade(database) is False
        with psycopg.connect(owned, autocommit=True) as connection:
            connection.execute("UPDATE ma.alembic_version SET version_num = '0008'")
            try:
                with pytest.raises(NotReady, match="login of the database's owner"):
                    migrate.upgrade(database)
            finally:
                connection.execute(f"UPDATE ma.alembic_version SET version_num = '{migrate.head()}'")


def test_a_login_that_may_not_do_something_is_told_which_one_may(owned):
    refused = run("segment", "list", MA_DATABASE_URL=address(owned, "sales"))
    assert refused.err.startswith("Error: The login in MA_DATABASE_URL may not do this.")


def test_an_owner_who_is_not_the_superuser_sets_them_up_and_upgrades(postgres_server):
    postgres_server.psql("CREATE ROLE u_owner LOGIN CREATEROLE")
    with guarded(postgres_server, template="template0", prefix="u_") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {make_url(url).database} OWNER TO u_owner")
        owner = connect(make_url(url).set(username="u_owner").render_as_string(hide_password=False))
        with pytest.raises(NotReady, match="no tables yet"):
            roles.set_up(owner, prefix="u_")
        migrate.upgrade(owner)
        roles.set_up(owner, prefix="u_", passwords=PASSWORDS)
        # What the next version may do with tables that are the modules' own by now.
        with owner.engine.begin() as connection:
            for change in (
                "CREATE TABLE ma.later (id int, customer_id int REFERENCES ma.customer (id))",
                "ALTER TABLE ma.customer ADD COLUMN later int",
                "CREATE INDEX ix_later ON sales.sales_lead (score)",
                "DROP TABLE service.service_ticket_change",
            ):
                connection.exec_driver_sql(change)
        assert "later" not in allowed(url, "ma", "u_")["ma"]
        roles.set_up(owner, prefix="u_")
        owner.close()
        assert "later" in allowed(url, "ma", "u_")["ma"]
        assert allowed(url, "service", "u_")["ma"] == {"alembic_version"}
        assert len(allowed(url, "service", "u_")["service"]) > 5
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY u_owner CASCADE")
    postgres_server.psql("DROP ROLE u_owner")


def test_what_cannot_be_set_up_is_refused_with_the_remedy(owned, sqlite_url):
    for url, given, error, words in (
        (sqlite_url, {}, NotReady, "Roles are for PostgreSQL"),
        (owned, {"prefix": "a b"}, InvalidInput, "small letters"),
        (owned, {"passwords": {"boss": "x"}}, InvalidInput, "no role 'boss'"),
    ):
        database = connect(url)
        with pytest.raises(error, match=words):
            roles.set_up(database, **given)
        database.close()
    with signed_in(owned, "workbench") as database, pytest.raises(Conflict, match="--prefix"):
        roles.set_up(database, prefix=PREFIX)


@pytest.mark.parametrize("comment", [None, "payroll", "marketing workbench: another"])
def test_a_role_of_somebody_else_is_left_alone_unless_it_is_adopted(
    postgres_server, template_postgres, comment
):
    with guarded(postgres_server, template=template_postgres, prefix="w_") as url:
        marked = "NULL" if comment is None else f"'{comment}'"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE ROLE w_sales LOGIN PASSWORD 'theirs'")
            connection.execute(f"COMMENT ON ROLE w_sales IS {marked}")
        given = {"MA_DATABASE_URL": url, "MA_ROLE_PASSWORDS": "sales=ours"}
        for more in ([], ["--show"]):
            ended = run("roles", "--prefix", "w_", *more, **given)
            assert ended.code == 1
            assert "'w_sales' already" in ended.err
            assert "--prefix" in ended.err
            assert "--adopt" in ended.err
        with psycopg.connect(url) as connection:
            assert marks(connection) == {"w_sales": comment}
        psycopg.connect(address(url, "sales", "theirs", "w_")).close()
        assert run("roles", "--prefix", "w_", "--adopt", **given).code == 0
        mine = f"marketing workbench: {make_url(url).database}"
        with psycopg.connect(url) as connection:
            assert marks(connection) == {f"w_{name}": mine for name in roles.ROLES}
        psycopg.connect(address(url, "sales", "ours", "w_")).close()
        # What bears the mark needs no such word any more.
        assert run("roles", "--prefix", "w_", **given).code == 0


def marks(connection) -> dict[str, str | None]:
    """The comment of each role whose name begins with w_."""
    query = "SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname LIKE 'w\\_%'"
    return dict(connection.execute(query).fetchall())


def test_the_command_shows_and_sets_up_and_prints_a_password_once(postgres_server, template_postgres):
    with guarded(postgres_server, template=template_postgres, prefix="v_") as url:
        command = ("roles", "--prefix", "v_")
        shown = run(*command, "--show", MA_DATABASE_URL=url)
        assert 'CREATE ROLE "v_sales" LOGIN;' in shown.out
        mark = f"marketing workbench: {make_url(url).database}"
        assert f"COMMENT ON ROLE \"v_sales\" IS '{mark}';" in shown.out
        given = {"MA_DATABASE_URL": url, "MA_ROLE_PASSWORDS": "sales=one,ma=two"}
        made = json.loads(run(*command, "--json", **given).out)
        by_name = {role["name"]: role["password"] for role in made["roles"]}
        assert by_name["v_sales"] is None
        assert len(by_name["v_relay"]) == 48
        again = run(*command, MA_DATABASE_URL=url)
        assert again.code == 0
        assert "shown only now" not in again.out
        assert "COMMENT" not in run(*command, "--show", MA_DATABASE_URL=url).out
        for role, password in (("sales", "one"), ("relay", by_name["v_relay"])):
            psycopg.connect(address(url, role, password, "v_")).close()
    wrong = run("roles", MA_DATABASE_URL=url, MA_ROLE_PASSWORDS="sales=")
    assert "no password after 'sales'" in wrong.err
