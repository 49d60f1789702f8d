"""Who did what, when, and with which object: the audit log, and what people did with leads and tickets."""

from datetime import date, datetime

import pandas as pd
from sqlalchemy import Select, String, cast, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.frames import read
from ma.analytics.workspace import workspace
from ma.models import Audit, LeadChange, TicketChange
from ma.types import SYSTEM


def audit_log(
    session: Session,
    *,
    as_of: datetime,
    who: str | None = None,
    action: str | None = None,
    noun: str | None = None,
    object_id: str | None = None,
    start: date | None = None,
    end: date | None = None,
    limit: int | None = None,
    offset: int = 0,
) -> pd.DataFrame:
    """What was done until `as_of`, the latest first: at, who, action, noun, object_id, detail (a text).

    Sales and Service keep what is done with their leads and tickets themselves; what they did by themselves
    because of an event is not among it. `start` and `end` are days of the workspace's time zone, the end
    exclusive.
    """
    query = _chosen(session, as_of, who, action, noun, object_id, start, end)
    frame = read(session, query.limit(limit).offset(offset))
    return pd.DataFrame(
        {
            "at": pd.to_datetime(frame["at"], utc=True).dt.as_unit("us"),
            **{name: frame[name].astype("str") for name in ("who", "action", "noun", "object_id")},
            "detail": [_text(row.detail, row.words) for row in frame.itertuples()],
        }
    )


def audit_count(session: Session, *, as_of: datetime, **chosen) -> int:
    """How many rows `audit_log` has with the same filters."""
    wanted = dict.fromkeys(("who", "action", "noun", "object_id", "start", "end")) | chosen
    rows = _chosen(session, as_of, *wanted.values()).order_by(None).subquery()
    return session.scalar(select(func.count()).select_from(rows))


def audit_words(session: Session, *, as_of: datetime) -> dict[str, list[str]]:
    """What can be chosen: everybody who did something (`who`), every `action`, every `noun`."""
    every = _every()
    return {
        name: list(session.scalars(select(every.c[name]).distinct().order_by(every.c[name])))
        for name in ("who", "action", "noun")
    }


def _chosen(session: Session, as_of: datetime, who, action, noun, object_id, start, end) -> Select:
    every = _every()
    query = select(every).where(every.c.at <= as_of)
    wanted = {"who": who, "action": action, "noun": noun, "object_id": object_id}
    for name, value in wanted.items():
        query = query.where(every.c[name] == value) if value else query
    if start or end:
        timezone = workspace(session).timezone
        query = query.where(every.c.at >= clock.day_start(start, timezone)) if start else query
        query = query.where(every.c.at < clock.day_start(end, timezone)) if end else query
    return query.order_by(every.c.at.desc(), every.c.place, every.c.id.desc())


def _every():
    parts = [
        select(
            Audit.at, Audit.actor.label("who"), Audit.action, Audit.noun, Audit.object_id, Audit.detail,
            literal("").label("words"), literal(0).label("place"), Audit.id,
        )
    ]  # fmt: skip
    for place, (change, noun, key) in enumerate(
        ((LeadChange, "lead", LeadChange.lead_id), (TicketChange, "ticket", TicketChange.ticket_id)), start=1
    ):
        parts.append(
            select(
                change.at,
                change.actor.label("who"),
                change.action,
                literal(noun).label("noun"),
                cast(key, String(100)).label("object_id"),
                null().label("detail"),
                func.coalesce(change.detail, "").label("words"),
                literal(place).label("place"),
                change.id,
            ).where(change.actor != SYSTEM.username)
        )
    return union_all(*parts).subquery()


def _text(detail: dict | None, words: str) -> str:
    """The detail of an entry in a line."""
    parts = [
        f"{name} {_value(value)}" for name, value in (detail or {}).items() if value not in (None, "", {})
    ]
    return ", ".join([*parts, *filter(None, [words])]).replace("_", " ")


def _value(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={_value(part)}" for name, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
