"""What every command on the command line shares: its database, its answers, its progress."""

import json
from collections.abc import Callable
from contextlib import contextmanager
from typing import Annotated

import typer

from ma.db import migrate
from ma.db.engine import connect
from ma.errors import NotFound
from ma.settings import settings
from ma.text import whole_number

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def say(text: str = "") -> None:
    typer.echo(text)


def answer(document: dict, as_json: bool, text: str) -> None:
    say(json.dumps(document, default=str) if as_json else text)


def say_frame(frame, as_json: bool) -> None:
    if as_json:
        rows = json.loads(frame.to_json(orient="records", date_format="iso", date_unit="s"))
        say(json.dumps({"rows": rows}))
    else:
        say(frame.to_string(index=False, na_rep="–") if len(frame) else "Nothing yet.")


@contextmanager
def open_database():
    database = connect(settings().database_url)
    try:
        migrate.require_current(database)
        yield database
    finally:
        database.close()


@contextmanager
def open_workbench():
    from ma.notebook import Workbench

    with open_database() as database:
        yield Workbench(database)


def progress(as_json: bool) -> Callable[[float, str], None]:
    """A progress bar on the error stream; silent with --json."""
    from ma.setup import bar

    return (lambda _share, _words: None) if as_json else bar


def possible(ids: int | list[int] | None) -> int | list[int] | None:
    """Ids as they were given. Raises NotFound for one that no row can have: databases would fail on it."""
    for one in ids if isinstance(ids, list) else [ids]:
        if one is not None and whole_number(str(one)) is None:
            raise NotFound(f"There is nothing with the id {one}.")
    return ids
