"""What goes on between the modules: the latest events, what waits, how far each subscriber is, what failed.

Read from the database only: it holds the truth also while the bus is away. The times here are real, except
`occurred_at`, which is the workspace's.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd
from sqlalchemy import Select, and_, case, func, literal, select, union_all
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics.frames import read
from ma.db.instants import microseconds
from ma.events.housekeeping import not_recorded
from ma.events.modules import LISTENERS, MODULES, Listener, Module

LATEST = 100
_WINDOW = timedelta(minutes=5)
_MINUTE = 60_000_000


def activity(
    session: Session, *, as_of: datetime, types: str | Sequence[str] = (), limit: int = LATEST
) -> pd.DataFrame:
    """The latest events of all modules, the latest first.

    recorded_at, occurred_at, source, type, version, event_id, state (waiting, sent, settled: everybody who
    listens has it), attempts, last_error, about (its ids and numbers). `types` keeps some only (a text
    separates them by commas).
    """
    wanted = [name for name in (types.split(",") if isinstance(types, str) else types) if name]

    def of(module: Module) -> Select:
        outbox = module.outbox.c
        state = case(
            (outbox.settled_at.is_not(None), "settled"),
            (outbox.sent_at.is_not(None), "sent"),
            else_="waiting",
        )
        query = select(
            outbox.recorded_at,
            outbox.occurred_at,
            literal(module.name).label("source"),
            outbox.type,
            outbox.version,
            outbox.event_id,
            state.label("state"),
            outbox.attempts,
            outbox.last_error,
            outbox.payload,
            outbox.id,
        )
        query = query.where(outbox.type.in_(wanted)) if wanted else query
        return query.order_by(outbox.id.desc()).limit(limit)

    frames = [read(session, of(module)) for module in MODULES.values()]
    frame = pd.concat([one for one in frames if len(one)] or frames[:1], ignore_index=True)
    frame = frame.sort_values(["recorded_at", "id"], ascending=False, kind="stable", na_position="last")
    frame = frame.head(limit).reset_index(drop=True)
    return frame.assign(about=frame["payload"].map(_about)).drop(columns=["id", "payload"])


def backlog(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """One row for each module: waiting (events not sent), oldest_seconds (of them; NaN where none waits),
    stuck (tried at least once), unsettled (sent, and some subscriber has not acted yet), last_error."""
    rows = []
    for module in MODULES.values():
        outbox = module.outbox.c
        waiting = outbox.sent_at.is_(None)
        found = session.execute(
            select(
                func.count(),
                func.min(outbox.recorded_at),
                func.sum(case((outbox.attempts > 0, 1), else_=0)),
                func.max(outbox.last_error),
            ).where(waiting)
        ).one()
        unsettled = and_(outbox.settled_at.is_(None), outbox.sent_at.is_not(None))
        rows.append(
            {
                "module": module.name,
                "waiting": found[0],
                "oldest_seconds": _seconds_since(found[1]),
                "stuck": int(found[2] or 0),
                "unsettled": session.scalar(select(func.count()).where(unsettled)),
                "last_error": found[3],
            }
        )
    return pd.DataFrame(rows).astype({"oldest_seconds": float})


def subscribers(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """How far each subscriber is, one row each.

    subscriber; behind (events that it has not acted on yet), lag_seconds (since the oldest of them was
    recorded; 0 where there is none); per_minute (acted on in the last five minutes), latency_ms (from being
    recorded to the effect: the median of the last 200); last_at, last_type and position: when it last acted,
    on what, and where that lies in the stream (missing where there is no bus); failing (tried again by
    itself) and parked.
    """
    rows = []
    for module in LISTENERS.values():
        behind, oldest = _behind(session, module)
        inbox, letters = module.inbox.c, module.dead_letters.c
        since = clock.now() - _WINDOW
        recent = session.scalar(select(func.count()).where(inbox.at >= since))
        failing, parked = session.execute(
            select(func.count(letters.retry_at), func.count() - func.count(letters.retry_at))
        ).one()
        last_at, last_type, position = _last(session, module)
        rows.append(
            {
                "subscriber": module.name,
                "behind": behind,
                "lag_seconds": _seconds_since(oldest) if behind else 0.0,
                "per_minute": recent / (_WINDOW.total_seconds() / 60),
                "latency_ms": _latency(session, module),
                "last_at": last_at,
                "last_type": last_type,
                "position": position,
                "failing": failing,
                "parked": parked,
            }
        )
    frame = pd.DataFrame(rows).astype({"lag_seconds": float, "latency_ms": float})
    return frame.assign(last_at=pd.to_datetime(frame["last_at"], utc=True))


def throughput(session: Session, *, as_of: datetime, minutes: int = 60) -> pd.DataFrame:
    """Events acted on in each of the last minutes: minute, subscriber, events (0 where there was none)."""
    now = clock.now()
    first = (now - timedelta(minutes=minutes - 1)).replace(second=0, microsecond=0)
    every = pd.date_range(first, periods=minutes, freq="min", name="minute")
    parts = []
    for module in LISTENERS.values():
        at = module.inbox.c.at
        minute = microseconds(at) // _MINUTE
        query = select(minute.label("minute"), func.count().label("events")).where(at >= first)
        counts = read(session, query.group_by(minute))
        counts.index = pd.to_datetime(counts["minute"] * _MINUTE, unit="us", utc=True)
        events = counts["events"].reindex(every, fill_value=0).astype("int64")
        parts.append(events.reset_index().assign(subscriber=module.name))
    return pd.concat(parts, ignore_index=True)[["minute", "subscriber", "events"]]


def dead_letters(session: Session, *, as_of: datetime, limit: int | None = None) -> pd.DataFrame:
    """What subscribers could not act on, the latest first.

    subscriber, event_id, source, type, version, occurred_at, attempts, failed_at, retry_at (missing: parked
    until somebody has it tried again), error.
    """

    def of(module: Listener) -> Select:
        letters = module.dead_letters.c
        names = (
            "event_id", "source", "type", "version", "occurred_at", "attempts", "failed_at", "retry_at",
            "error",
        )  # fmt: skip
        return select(literal(module.name).label("subscriber"), *(letters[name] for name in names))

    every = union_all(*[of(module) for module in LISTENERS.values()]).subquery()
    return read(session, select(every).order_by(every.c.failed_at.desc(), every.c.event_id).limit(limit))


def _behind(session: Session, subscriber: Listener) -> tuple[int, datetime | None]:
    count, oldest = 0, None
    for source in MODULES.values():
        outbox = source.outbox.c
        lacking = (outbox.settled_at.is_(None), not_recorded(source, subscriber))
        found, first = session.execute(
            select(func.count(), func.min(outbox.recorded_at)).where(*lacking)
        ).one()
        count += found
        oldest = min(filter(None, (oldest, first)), default=None)
    return count, oldest


def _last(session: Session, subscriber: Listener) -> tuple[datetime | None, str | None, str | None]:
    """When a subscriber acted last, on an event of which type, and its place in the stream."""
    inbox = subscriber.inbox.c
    last = session.execute(select(inbox.at, inbox.event_id).order_by(inbox.at.desc()).limit(1)).first()
    if last is None:
        return None, None, None
    for source in MODULES.values():
        outbox = source.outbox.c
        found = select(outbox.type, outbox.stream_id).where(outbox.event_id == last.event_id)
        if row := session.execute(found).first():
            return last.at, row.type, row.stream_id
    return last.at, None, None


def _latency(session: Session, subscriber: Listener) -> float | None:
    inbox = subscriber.inbox.c
    last = select(inbox.event_id, inbox.at).order_by(inbox.at.desc()).limit(200).subquery()
    took = []
    for source in MODULES.values():
        outbox = source.outbox.c
        rows = select(last.c.at, outbox.recorded_at).join(source.outbox, outbox.event_id == last.c.event_id)
        took += [(at - recorded).total_seconds() for at, recorded in session.execute(rows) if recorded]
    return float(pd.Series(took).median() * 1_000) if took else None


def _about(payload: dict) -> str:
    """The ids and numbers of an event in a line; of lists their length."""
    parts = []
    for name, value in payload.items():
        if value is None:
            continue
        parts.append(
            f"{len(value):,} {name}" if isinstance(value, list) else f"{name.removesuffix('_id')} {value}"
        )
    return ", ".join(parts).replace("_", " ")


def _seconds_since(at: datetime | None) -> float | None:
    return None if at is None else max((clock.now() - at).total_seconds(), 0.0)
