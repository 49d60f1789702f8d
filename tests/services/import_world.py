"""A workspace to import into, and sheets as the reading side hands them over."""

import hashlib
from datetime import UTC, datetime

import pandas as pd

from ma.files.reading import Sheet
from ma.services import imports
from ma.services.imports import Options
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Actor, Role

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
MARKETER = Actor(username="mia", role=Role.MARKETER, user_id=1)


def set_up(database, *, currency: str = "EUR", timezone: str = "UTC") -> None:
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Test", timezone=timezone, currency=currency, at=AT)


def sheet(columns: dict[str, list], *, name: str = "file.csv") -> Sheet:
    """A CSV's table: every cell text, None where it is empty."""
    frame = pd.DataFrame(columns).astype(pd.StringDtype(na_value=float("nan")))
    sha256 = hashlib.sha256(frame.to_csv().encode()).hexdigest()
    return Sheet(name=name, format="csv", sha256=sha256, frame=frame, first_row=2)


def dry_run(database, kind, table, key, *, at=AT, actor=MARKETER, mapping=None, **options):
    """The plan; each column is the target of its own name unless a mapping says otherwise."""
    file = table if isinstance(table, Sheet) else sheet(table)
    with database.reading() as session:
        return imports.plan(
            session,
            actor,
            kind,
            file,
            mapping=mapping or {name: name for name in file.frame},
            key=key,
            options=Options(**options),
            at=at,
        )


def carry_out(database, plan, *, at=AT, **callbacks):
    with database.writing() as session:
        return imports.apply(session, MARKETER, plan, at=at, **callbacks)


def bring_in(database, kind, table, key, *, at=AT, **options):
    """Dry run and import: what came of it."""
    return carry_out(database, dry_run(database, kind, table, key, at=at, **options), at=at)


def take_back(database, import_id, *, at=AT, **more) -> dict:
    with database.writing() as session:
        return imports.undo(session, MARKETER, import_id, at=at, **more)


def counted(plan) -> tuple[int, int, int, int]:
    return tuple(plan.counts[name] for name in ("new", "changed", "unchanged", "rejected"))
