"""What people did, as a module was told: each step of a person in a campaign once, whatever comes twice.

What was told last holds: an import that was taken back takes its steps back, and the same file brought in
again brings them back. "Last" is when it happened, not when it arrived.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy import Select, Table, bindparam, insert, select, update
from sqlalchemy.orm import Session

from ma.subscribers import persons
from ma.subscribers.inbox import Happened

_KEY = ("customer_id", "campaign_id", "step")


def keep(
    session: Session,
    signals: Table,
    people: Table,
    happened: Sequence[Happened],
    fresh: Mapping[str, timedelta],
) -> list[dict]:
    """Keep the steps that a module cares for, of whoever is not gone; the rows that are new or changed.

    `fresh` says of each of these steps how old it may be when it is told, not to be `stale`.
    """
    told = [one for one in happened if one.event.step in fresh]
    ids = {outcome.customer_id for one in told for outcome in one.event.outcomes}
    means = persons.present(session, people, ids)
    rows: dict[tuple, dict] = {}
    for one in told:
        for outcome in one.event.outcomes:
            if outcome.customer_id in means:
                row = _row(one, means[outcome.customer_id], outcome.at)
                row["stale"] = outcome.at < one.at - fresh[one.event.step]
                row["band"], row["revenue_minor"] = outcome.engagement_band, outcome.revenue_minor
                _add(rows, row)
    return _save(session, signals, rows)


def withdraw(
    session: Session, signals: Table, people: Table, happened: Sequence[Happened], steps: Mapping
) -> list[dict]:
    """Take steps back; the rows that changed."""
    told = [one for one in happened if one.event.step in steps]
    means = persons.present(session, people, {i for one in told for i in one.event.customer_ids})
    rows: dict[tuple, dict] = {}
    for one in told:
        for customer_id in one.event.customer_ids:
            if customer_id in means:
                row = _row(one, means[customer_id], one.at)
                _add(rows, row | {"withdrawn": True, "stale": True, "band": None, "revenue_minor": None})
    return _save(session, signals, rows)


def _row(one: Happened, customer_id: int, at) -> dict:
    of = {"customer_id": customer_id, "campaign_id": one.event.campaign_id, "step": one.event.step}
    return of | {"at": at, "channel": one.event.channel, "told_at": one.at, "withdrawn": False}


def _add(rows: dict[tuple, dict], row: dict) -> None:
    """Of two rows about the same, the one that was told later; of two told at once, the earlier step."""
    key = tuple(row[name] for name in _KEY)
    there = rows.get(key)
    if there is None or _holds(row, there["told_at"], there["at"]):
        rows[key] = row


def _holds(row: dict, told_at: datetime, at: datetime) -> bool:
    return row["told_at"] > told_at or (row["told_at"] == told_at and row["at"] < at)


def _save(session: Session, signals: Table, rows: dict[tuple, dict]) -> list[dict]:
    known = {}
    for part in persons.parts(key[0] for key in rows):
        for row in session.execute(_known(signals), {"people": part}):
            known[row.customer_id, row.campaign_id, row.step] = (row.told_at, row.at)
    names = set(signals.c.keys())
    mine = {key: {name: row[name] for name in row if name in names} for key, row in rows.items()}
    new = [row for key, row in mine.items() if key not in known]
    newer = [row for key, row in mine.items() if key in known and _holds(row, *known[key])]
    if new:
        session.execute(insert(signals), new)
    if newer:
        session.connection().execute(_change(signals), [_bound(row) for row in newer])
    return [*new, *newer]


@lru_cache
def _known(signals: Table) -> Select:
    return select(*(signals.c[name] for name in (*_KEY, "told_at", "at"))).where(
        signals.c.customer_id.in_(persons.PEOPLE)
    )


@lru_cache
def _change(signals: Table):
    values = {column.name: bindparam(f"to_{column.name}") for column in signals.c if column.name not in _KEY}
    return update(signals).where(*(signals.c[n] == bindparam(f"to_{n}") for n in _KEY)).values(values)


def _bound(row: dict) -> dict:
    return {f"to_{name}": value for name, value in row.items()}
