"""PostgreSQL: a login for each module that reaches its own schema only, one for the relay, one for the app.

The tables of a schema belong to its module's role, so that it can do with them what the program does. The app
shows the screens of all modules: its role is a member of the three.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from secrets import token_hex

from sqlalchemy import Connection, text

from ma.db import migrate
from ma.db.engine import Database
from ma.errors import Conflict, InvalidInput, NotReady
from ma.models import SCHEMA, SCHEMAS, Base, SalesBase, ServiceBase, Webhook, WebhookType
from ma.models.inbox import DeadLetterColumns, InboxColumns
from ma.models.outbox import OutboxColumns

APP, RELAY = "workbench", "relay"
# What each of them is for, by its name.
ROLES = {
    APP: "the app and the command line",
    RELAY: "python -m ma relay",
    **{name: f"python -m ma subscribe {name}" for name in SCHEMAS},
}
_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,30}", re.ASCII)
# What the relay notes on an event.
_MARKS = ("sent_at", "stream_id", "settled_at", "attempts", "last_error")


@dataclass(frozen=True)
class Role:
    """A role as it is now; `password` only where it was made a moment ago, and shown never again."""

    name: str
    purpose: str
    created: bool
    password: str | None = None


def set_up(
    database: Database, *, prefix: str = "", passwords: Mapping[str, str] | None = None, adopt: bool = False
) -> list[Role]:
    """Create the roles and give each what it needs and nothing else; the same again changes nothing.

    `passwords` by the name of the role without its prefix; a new role without one gets one. `adopt` takes
    over roles that were not made for this database. In one transaction. Run it again after each upgrade: new
    tables get their owner. Raises NotReady, Conflict,
    InvalidInput.
    """
    given = dict(passwords or {})
    if unknown := sorted(set(given) - set(ROLES)):
        raise InvalidInput({"passwords": f"There is no role '{unknown[0]}'. There are: {', '.join(ROLES)}."})
    _require_ready(database, prefix)
    with database.engine.begin() as connection:
        known = _known(connection, prefix, adopt)
        for statement in _statements(connection, prefix, known):
            connection.exec_driver_sql(statement)
        roles = []
        for name, purpose in ROLES.items():
            created = prefix + name not in known
            made = token_hex(24) if created and name not in given else None
            if password := given.get(name) or made:
                _set_password(connection, prefix + name, password)
            roles.append(Role(prefix + name, purpose, created, made))
    return roles


def script(database: Database, *, prefix: str = "", adopt: bool = False) -> list[str]:
    """What `set_up` would execute, passwords left out; changes nothing."""
    _require_ready(database, prefix)
    with database.engine.connect() as connection:
        return list(_statements(connection, prefix, _known(connection, prefix, adopt)))


def _require_ready(database: Database, prefix: str) -> None:
    if database.engine.dialect.name != "postgresql":
        raise NotReady("Roles are for PostgreSQL. Set MA_DATABASE_URL to postgresql://…")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise InvalidInput({"prefix": "Use up to 31 small letters, digits and underscores, as in acme_."})
    migrate.require_current(database)


def _known(connection: Connection, prefix: str, adopt: bool) -> dict[str, bool]:
    """Those of the roles that exist, and whether they bear our mark.

    Raises Conflict where one of them is somebody else, or somebody else's and not to be adopted.
    """
    names, mark = [prefix + name for name in ROLES], _mark(connection)
    rows = connection.execute(
        text(
            "SELECT rolname, rolsuper, rolname = current_user, shobj_description(oid, 'pg_authid') "
            "FROM pg_roles WHERE rolname = ANY(:names) ORDER BY rolname"
        ),
        {"names": names},
    ).all()
    for name, is_super, is_me, comment in rows:
        if is_super or is_me:
            why = "is the login that sets them up" if is_me else "may do everything on this server"
            raise Conflict(
                f"'{name}' would be a role of the workbench, but {why}. Choose names with --prefix."
            )
        if comment != mark and not adopt:
            raise Conflict(
                f"There is a role '{name}' already, and it was not made for this database. Choose names with "
                "--prefix; or take over all roles of these names with --adopt, if nobody else uses them."
            )
    return {name: comment == mark for name, _, _, comment in rows}


def _mark(connection: Connection) -> str:
    """The comment of the roles that were made for this database: a server may have others of their names."""
    return f"marketing workbench: {connection.scalar(text('SELECT current_database()'))}"


def _tables_of(kind: type) -> list[str]:
    """The tables of one kind in all modules."""
    models = [mapper.class_ for base in (Base, SalesBase, ServiceBase) for mapper in base.registry.mappers]
    return sorted(model.__table__.fullname for model in models if issubclass(model, kind))


def _statements(connection: Connection, prefix: str, known: Mapping[str, bool]) -> Iterator[str]:
    quote = connection.dialect.identifier_preparer.quote_identifier
    role = {name: quote(prefix + name) for name in ROLES}
    everybody = ", ".join(role.values())
    mark = "'" + _mark(connection).replace("'", "''") + "'"
    for name in ROLES:
        if prefix + name not in known:
            yield f"CREATE ROLE {role[name]} LOGIN"
        if not known.get(prefix + name):
            yield f"COMMENT ON ROLE {role[name]} IS {mark}"
    database = quote(connection.scalar(text("SELECT current_database()")))
    yield f"REVOKE ALL ON DATABASE {database} FROM PUBLIC, {everybody}"
    yield f"GRANT CONNECT ON DATABASE {database} TO {everybody}"
    # Rules and imports put what they chose into tables of their own.
    yield f"GRANT TEMPORARY ON DATABASE {database} TO {role[SCHEMA]}"
    for schema in SCHEMAS:
        yield f"REVOKE ALL ON SCHEMA {schema} FROM PUBLIC, {everybody}"
        for kind in ("TABLES", "SEQUENCES"):
            yield f"REVOKE ALL ON ALL {kind} IN SCHEMA {schema} FROM PUBLIC, {everybody}"
    for schema in SCHEMAS:
        yield from _owning(connection, schema, role[schema], prefix + schema)
    yield f"GRANT {', '.join(role[schema] for schema in SCHEMAS)} TO {role[APP]}"
    # To see whether the tables are those of their program, which is all they see of it.
    others = ", ".join(role[name] for name in ROLES if name not in (APP, SCHEMA))
    yield f"GRANT USAGE ON SCHEMA {SCHEMA} TO {others}"
    yield f"GRANT SELECT ON {SCHEMA}.alembic_version TO {others}"
    yield from _relaying(role[RELAY])


def _owning(connection: Connection, schema: str, role: str, name: str) -> Iterator[str]:
    """Give a module's role its schema."""
    # Whoever is not the server's superuser must be a member of a role to give it anything.
    is_super = connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
    if not is_super:
        yield f"GRANT {role} TO CURRENT_USER"
    # Only whoever may create something in a schema can own something there.
    yield f"GRANT USAGE, CREATE ON SCHEMA {schema} TO {role}"
    foreign = text(
        "SELECT tablename FROM pg_tables WHERE schemaname = :schema AND tableowner <> :name ORDER BY 1"
    )
    for table in connection.scalars(foreign, {"schema": schema, "name": name}):
        yield f'ALTER TABLE {schema}."{table}" OWNER TO {role}'
    yield f"REVOKE CREATE ON SCHEMA {schema} FROM {role}"
    # What was revoked above from the owner, too.
    for kind in ("TABLES", "SEQUENCES"):
        yield f"GRANT ALL ON ALL {kind} IN SCHEMA {schema} TO {role}"


def _relaying(role: str) -> Iterator[str]:
    """Let the relay read and mark events, see who has them, and clear away old ones."""
    yield f"GRANT USAGE ON SCHEMA {', '.join(SCHEMAS)} TO {role}"
    for table in _tables_of(OutboxColumns):
        yield f"GRANT SELECT, DELETE, UPDATE ({', '.join(_MARKS)}) ON {table} TO {role}"
    for table in _tables_of(InboxColumns):
        yield f"GRANT SELECT, DELETE ON {table} TO {role}"
    for table in _tables_of(DeadLetterColumns):
        yield f"GRANT SELECT ON {table} TO {role}"
    # Which events somebody outside has asked for; not where they go, and nothing of the secrets.
    yield f"GRANT SELECT (id, disabled_at) ON {Webhook.__table__.fullname} TO {role}"
    yield f"GRANT SELECT ON {WebhookType.__table__.fullname} TO {role}"


def _set_password(connection: Connection, role: str, password: str) -> None:
    # Hashed here: the server's log may hold the statement.
    driver = connection.connection.driver_connection
    hashed = driver.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    connection.exec_driver_sql(f"ALTER ROLE {quoted} LOGIN PASSWORD '{hashed}'")
