"""Running it for a team, on the command line: roles of PostgreSQL, moving, backup."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import make_url

from ma import clock
from ma.db.engine import connect
from ma.errors import InvalidInput
from ma.settings import settings
from ma.terminal import Json, answer, open_database, progress
from ma.types import SYSTEM


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    for name, command in (("roles", roles), ("move", move), ("backup", backup), ("restore", restore)):
        app.command(name)(command)


def roles(
    prefix: Annotated[str, typer.Option(help="What their names begin with, as in acme_.")] = "",
    show: Annotated[bool, typer.Option(help="Print the statements and change nothing.")] = False,
    adopt: Annotated[
        bool, typer.Option(help="Take over roles of these names that were not made for this database.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Set up PostgreSQL's logins: one for each module, for the relay and for the app.

    MA_DATABASE_URL is that of the database's owner; passwords come from MA_ROLE_PASSWORDS, or are made.
    """
    from ma.db import roles as postgres

    given = settings().role_passwords
    passwords = _passwords(given.get_secret_value() if given else "")
    database = connect(settings().database_url)
    try:
        if show:
            script = postgres.script(database, prefix=prefix, adopt=adopt)
            answer({"statements": script}, as_json, "\n".join(f"{line};" for line in script))
            return
        found = postgres.set_up(database, prefix=prefix, passwords=passwords, adopt=adopt)
    finally:
        database.close()
    lines = []
    for role in found:
        lines.append(f"{role.name:<12} {'made' if role.created else 'there'}   {role.purpose}")
        if role.password:
            url = make_url(settings().database_url).set(username=role.name, password=role.password)
            lines.append(f"{'':<12} {url.render_as_string(hide_password=False)}   (shown only now)")
    answer({"roles": [role.__dict__ for role in found]}, as_json, "\n".join(lines))


def move(
    source: Annotated[str, typer.Argument(help="Where the workspace is: sqlite:///… or postgresql://…")],
    target: Annotated[str, typer.Argument(help="An empty database: sqlite:///… or postgresql://…")],
    as_json: Json = False,
) -> None:
    """Copy a whole workspace into an empty database, and compare counts and sums of every table.

    Stop the app, the relay and the subscribers first.
    """
    from ma.db import moving, secret
    from ma.services.audit import audit

    giver, taker = connect(source), connect(target)
    try:
        with giver.reading() as old, taker.reading() as new:
            secret.carry(old, new, dry_run=True)
        found = moving.move(giver, taker, progress=progress(as_json))
        with giver.reading() as old, taker.writing() as new:
            secret.carry(old, new)
            audit(new, SYSTEM, "move", "workspace", at=clock.now())
    finally:
        giver.close()
        taker.close()
    rows = sum(table.rows for table in found.values())
    lines = [f"{table.rows:>12,}  {name}" for name, table in found.items() if table.rows]
    lines += [f"{rows:>12,}  rows of {len(found)} tables: counts and sums of every column agree."]
    lines += ["Set MA_DATABASE_URL to the new database, for the app, the relay and the subscribers."]
    tables = {name: table.__dict__ for name, table in found.items()}
    answer({"rows": rows, "tables": tables}, as_json, "\n".join(lines))


def backup(
    file: Annotated[Path, typer.Argument(help="The new file to write it to.")], as_json: Json = False
) -> None:
    """Write a SQLite workspace into a file, while it is in use; its secret goes beside it."""
    from ma.db import backup as backups
    from ma.services.audit import audit

    with open_database() as database:
        written = backups.back_up(database, file.resolve())
        with database.writing() as session:
            audit(session, SYSTEM, "backup", "workspace", at=clock.now())
    names = [str(path) for path in written]
    answer({"files": names}, as_json, "\n".join(names))


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `backup` wrote.")], as_json: Json = False
) -> None:
    """Put a backup where MA_DATABASE_URL says; no database may be there any more."""
    from ma.db import backup as backups

    url = make_url(settings().database_url)
    disabled = backups.restore(file.resolve(), url)
    words = (
        f"{url.database} is what it was at the backup.\n"
        f"Everybody is signed out. Webhooks disabled: {disabled}; enable those that are still wanted.\n"
        "Go through users, roles and API tokens: what was taken away since the backup is back.\n"
        "Next: python -m ma init"
    )
    answer({"database": url.database, "webhooks_disabled": disabled}, as_json, words)


def _passwords(text: str) -> dict[str, str]:
    """The passwords in `role=password,role=password`."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if wrong := [name for name, equals, password in pairs if not (equals and password.strip())]:
        where = f"after '{wrong[0].strip()}'" if "=" in text else "in it"
        example = "sales=…,service=…,ma=…,relay=…,workbench=…"
        raise InvalidInput(
            {"MA_ROLE_PASSWORDS": f"MA_ROLE_PASSWORDS has no password {where}. Write: {example}"}
        )
    return {name.strip(): password.strip() for name, _, password in pairs}
