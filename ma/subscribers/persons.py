"""Who is who, as a module was told: a customer that was merged is another one, one that is gone is nobody.

Events come in any order: what is told of somebody after they are gone must not bring them back.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from sqlalchemy import Select, Table, bindparam, insert, select, update
from sqlalchemy.orm import Session

# Values of one IN list.
BATCH = 5_000
# Whom a statement is about. Statements are written once: that takes as long as their execution.
PEOPLE = bindparam("people", expanding=True)


def parts(ids: Iterable[int]) -> Iterable[list[int]]:
    """Distinct ids in order, some thousands at a time."""
    ordered = sorted(set(ids))
    return (ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH))


def present(session: Session, persons: Table, ids: Iterable[int]) -> dict[int, int]:
    """Whom each of these ids means now; those who are gone are left out."""
    means = {customer_id: customer_id for customer_id in ids}
    asked = set(means)
    while asked:
        moved: dict[int, int | None] = {}
        for part in parts(asked):
            for row in session.execute(_told_of(persons), {"people": part}):
                moved[row.customer_id] = None if row.gone else row.same_as
        means = {customer_id: moved.get(now, now) for customer_id, now in means.items() if now is not None}
        # A chain of merges is followed to its end.
        asked = {now for now in moved.values() if now is not None}
    return {customer_id: now for customer_id, now in means.items() if now is not None}


def mark_gone(session: Session, persons: Table, ids: Sequence[int]) -> None:
    """From now on nothing is kept of these customers."""
    _save(session, persons, [{"customer_id": i, "same_as": None, "gone": True} for i in sorted(set(ids))])


def mark_merged(session: Session, persons: Table, merged_id: int, customer_id: int) -> None:
    """From now on one customer is another one, unless they are gone."""
    _save(session, persons, [{"customer_id": merged_id, "same_as": customer_id, "gone": False}])


@lru_cache
def _told_of(persons: Table) -> Select:
    return select(persons.c.customer_id, persons.c.same_as, persons.c.gone).where(
        persons.c.customer_id.in_(PEOPLE)
    )


def _save(session: Session, persons: Table, rows: list[dict]) -> None:
    known: dict[int, bool] = {}
    for part in parts(row["customer_id"] for row in rows):
        known |= {row.customer_id: row.gone for row in session.execute(_told_of(persons), {"people": part})}
    new = [row for row in rows if row["customer_id"] not in known]
    if new:
        session.execute(insert(persons), new)
    for row in rows:
        if known.get(row["customer_id"]) is False:
            session.execute(
                update(persons)
                .where(persons.c.customer_id == row["customer_id"])
                .values(same_as=row["same_as"], gone=row["gone"])
            )
