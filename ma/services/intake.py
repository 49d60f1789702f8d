"""Rows that another system sends: planned and written like a file that somebody imports, without asking.

What is right comes in, the rest is told with its reason. A row that came in before changes nothing: a step is
taken once, an event has its key.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import pandas as pd
from sqlalchemy.orm import Session

from ma.errors import Conflict
from ma.files.reading import Sheet
from ma.services import imports
from ma.services.import_plans import TEXT
from ma.services.imports import Options, Plan
from ma.types import Actor

SOURCE = "API"
MOST_ROWS = 10_000
MOST_PROBLEMS = 100
# Others may write between our reading and our writing; then it is planned again.
_TRIES = 4

T = TypeVar("T")
Opening = Callable[[], AbstractContextManager[Session]]


@dataclass(frozen=True)
class Taken:
    """What came of a batch. `problems`: row (the first is 1), field and problem, at most MOST_PROBLEMS."""

    import_id: int | None
    received: int
    new: int
    changed: int
    unchanged: int
    rejected: int
    problems: list[dict]
    notes: list[str]


def take_in(
    reading: Opening,
    writing: Opening,
    actor: Actor,
    kind: str,
    rows: Sequence[Mapping[str, str | None]],
    *,
    key: str,
    options: Options,
    at: datetime,
    answer: Callable[[Session, Taken], T],
) -> T:
    """Take rows of an import's kind in; `answer` is called in the transaction that wrote them.

    Rows map the kind's fields to text. Raises InvalidInput where they cannot be a file of this kind at all,
    and Conflict when others write the same again and again.
    """
    sheet = _sheet(rows)
    for left in reversed(range(_TRIES)):
        with reading() as session:
            plan = imports.plan(
                session,
                actor,
                kind,
                sheet,
                mapping={name: name for name in sheet.frame.columns},
                key=key,
                options=options,
                at=at,
            )
        try:
            with writing() as session:
                done = imports.apply(session, actor, plan, at=at)
                return answer(session, _taken(plan, done.import_id))
        except Conflict:
            if not left:
                raise
    raise AssertionError("the last try raises or returns")


def _sheet(rows: Sequence[Mapping[str, str | None]]) -> Sheet:
    names = list(dict.fromkeys(name for row in rows for name, value in row.items() if value is not None))
    columns = {name: pd.array([row.get(name) for row in rows], dtype=TEXT) for name in names}
    content = json.dumps([dict(row) for row in rows], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Sheet(SOURCE, "json", digest, pd.DataFrame(columns, index=range(len(rows))), first_row=1)


def _taken(plan: Plan, import_id: int | None) -> Taken:
    told = plan.rejected.head(MOST_PROBLEMS)
    problems = [
        {"row": int(row), "field": str(column), "problem": problem}
        for row, column, problem in zip(told["row"], told["column"], told["problem"], strict=True)
    ]
    counts = plan.counts
    return Taken(
        import_id=import_id,
        received=counts["rows"],
        new=counts["new"],
        changed=counts["changed"],
        unchanged=counts["unchanged"],
        rejected=counts["rejected"],
        problems=problems,
        notes=list(plan.notes),
    )
