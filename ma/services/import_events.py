"""A file of what people did, such as web visits: what it would add, and adding it."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ma.analytics.workspace import workspace
from ma.db import sequences, staging
from ma.errors import Conflict
from ma.files.columns import Target
from ma.models import BehaviourEvent
from ma.services import import_buyers as buyers
from ma.services import import_orders as orders
from ma.services import import_people as people
from ma.services import import_values as values
from ma.services import import_writing as writing
from ma.services.import_customers import duplicates
from ma.services.import_plans import DRY_RUN_AGAIN, TEXT, Options, Rows, no_changes
from ma.types import Actor

EVENT = BehaviourEvent.__table__
NOUN = "event"
WHOLE = "whole event"
KEYS = ("event_key", WHOLE)
_CONTENT = ("customer_id", "kind", "at", "page", "device")
_VISITS = frozenset(("visit", "page view", "page_view", "pageview", "view", "page", "besuch", "seitenaufruf"))
_SAME_KEY = "Row {row} has the same key and is another event. Give each event a key of its own."
_CHANGED_SINCE = f"Events of this file were added or changed since the dry run. {DRY_RUN_AGAIN}"

TARGETS = (
    Target("event_key", "Event number", ("event id", "event key", "hit id", "session id")),
    Target(
        "at",
        "Time",
        ("timestamp", "date", "datetime", "visited at", "seen at", "zeit", "datum"),
        True,
        "moment",
    ),
    *buyers.TARGETS,
    Target("kind", "Kind of event", ("event", "event type", "event name", "type", "action", "ereignis")),
    Target("page", "Page", ("url", "page url", "path", "landing page", "seite")),
    Target("device", "Device", ("device type", "device category", "gerät")),
)


@dataclass
class Work:
    """What `apply` writes: events by position in the file; changed ones with `id` and `before`."""

    new: pd.DataFrame
    changed: pd.DataFrame
    seen: pd.DataFrame
    buyers: buyers.Buyers


def targets(session: Session) -> tuple[Target, ...]:
    """What an event may hold."""
    return TARGETS


def mapping_problems(mapping: dict[str, str]) -> dict[str, str]:
    """Somebody must have done it."""
    if set(people.KEYS) & mapping.keys():
        return {}
    return {"external_id": "Choose the column that says who it was: id, e-mail address or phone number."}


def plan(session: Session, rows: Rows, key: str, options: Options, at: datetime):
    """(status of each row, work, changes, notes)."""
    zone = workspace(session).timezone
    events = pd.DataFrame({"at": values.moments(rows, "at", timezone=zone, latest=pd.Timestamp(at))})
    rows.reject(rows.texts("at").isna(), "at", "There is no time. Fill it in.")
    events["kind"] = values.texts(rows, "kind", _kind).fillna("visit")
    events["page"] = values.short_texts(rows, "page", "page", 200)
    events["device"] = values.short_texts(rows, "device", "device", 20)
    who = buyers.find(session, rows, create=options.create_missing)
    events["customer_id"], events["identity"] = who.customer_id, who.identity
    first = next(name for name in people.KEYS if name in rows)
    rows.reject(who.identity.isna(), first, "It is not said who it was. Fill in the customer.")
    again = np.zeros(len(rows), dtype=bool)
    if key == WHOLE:
        events["external_key"] = _hashes(events)
    else:
        events["external_key"] = values.short_texts(rows, "event_key", "event number", 100)
        rows.reject(events["external_key"].isna(), "event_key", "There is no event number. Fill it in.")
        again = duplicates(rows, events.drop(columns="external_key"), events["external_key"], key, _SAME_KEY)
    buyers.settle(session, rows, who)
    events["place"] = who.place
    kept = events[~rows.wrong & ~again]
    found = staging.rows_with(
        session,
        select(EVENT.c.id, EVENT.c.external_key, *(EVENT.c[name] for name in _CONTENT)),
        EVENT.c.external_key,
        kept["external_key"],
    )
    old = found.set_index("external_key").reindex(kept["external_key"]).set_axis(kept.index)
    known = old["id"].notna()
    changed, changes = _changed(rows, kept[known], old[known], compare=key != WHOLE)
    status = np.where(rows.wrong, "rejected", "unchanged").astype(object)
    status[kept.index[~known]] = "new"
    status[changed.index] = "changed"
    columns = ["external_key", *_CONTENT, "place"]
    work = Work(kept.loc[~known, columns], changed, found[["id", *_CONTENT]], who)
    return status, work, changes, _notes(who)


def apply(session: Session, actor: Actor, work: Work, *, run_id: int, at: datetime, step) -> dict[str, int]:
    """Write what was planned; returns more counts. Raises Conflict when it no longer holds."""
    _check(session, work)
    added = buyers.add(
        session, work.buyers, run_id=run_id, at=at, step=lambda *_: step(0.05, "Adding customers")
    )
    # Written in the order in which they will be read: one customer's story lies together.
    new = writing.with_ids(work.new, added).sort_values(["customer_id", "at"], kind="stable")
    new = new.assign(id=sequences.reserve(session, EVENT, len(new)), import_id=run_id)
    for start in range(0, len(new), writing.CHUNK):
        step(0.1 + 0.7 * start / len(new), f"Adding events: {start:,} of {len(new):,}")
        writing.insert(session, EVENT, new.iloc[start : start + writing.CHUNK])
    touched = new["customer_id"]
    if len(work.changed):
        changed = writing.with_ids(work.changed, added)
        writing.keep_before(session, NOUN, changed["id"], changed["before"], None, run_id)
        change_events(session, changed)
        before = pd.Series([json.loads(text)["customer_id"] for text in changed["before"]])
        touched = pd.concat([touched, changed["customer_id"], before])
    step(0.8, "Working out the customers' figures")
    orders.rebuild(session, touched, at)
    return {"customers": len(added)}


def change_events(session: Session, frame: pd.DataFrame) -> None:
    """Give events (id and their columns) their new values."""
    columns = ["id", *_CONTENT]
    with staging.staged(session, frame[columns], {name: EVENT.c[name] for name in columns}) as new:
        session.execute(
            update(EVENT).where(EVENT.c.id == new.c.id).values({name: new.c[name] for name in _CONTENT})
        )


def _kind(text: str) -> tuple[str | None, str | None]:
    stored, problem = values.short("kind of event", 40)(text)
    return ("visit" if stored and stored.casefold() in _VISITS else stored), problem


def _hashes(events: pd.DataFrame) -> pd.Series:
    """What makes an event the same in another file: all of it, and which of several equal ones it is."""
    moment = events["at"].astype("int64").astype(TEXT)
    parts = [
        events["identity"].fillna(""),
        moment,
        events["kind"],
        events["page"].fillna(""),
        events["device"].fillna(""),
    ]
    whole = parts[0].str.cat(parts[1:], sep="\x1f")
    numbered = whole + "\x1f" + whole.groupby(whole).cumcount().astype(TEXT)
    return pd.Series([hashlib.sha256(text.encode()).hexdigest() for text in numbered], dtype=TEXT)


def _changed(rows: Rows, kept: pd.DataFrame, old: pd.DataFrame, *, compare: bool):
    """Events whose key is there already with something else, completed from it; and the diff."""
    columns = ["external_key", *_CONTENT, "place", "id", "before"]
    if not compare or kept.empty:
        return pd.DataFrame(columns=columns), no_changes()
    after = kept.copy()
    for name in ("page", "device"):
        after[name] = after[name].fillna(old[name])
    if "kind" not in rows:
        after["kind"] = old["kind"]
    unlike = {name: orders.unlike(after[name], old[name]) for name in _CONTENT}
    differs = pd.DataFrame(unlike).any(axis=1)
    before = old.loc[differs, list(_CONTENT)]
    texts = before.assign(at=before["at"].map(pd.Timestamp.isoformat)).astype(object)
    texts = texts.where(texts.notna(), None)
    changed = after[differs].assign(
        id=old.loc[differs, "id"].astype("int64"),
        before=[json.dumps(row) for row in texts.to_dict("records")],
    )
    labels = {"customer_id": "Customer", "kind": "Kind", "at": "Time", "page": "Page", "device": "Device"}
    parts = [
        pd.DataFrame(
            {
                "row": rows.numbers(after.index[mask]),
                "customer": after.loc[mask, "external_key"].to_numpy(),
                "field": labels[name],
                "before": writing.as_text(old.loc[mask, name]).to_numpy(),
                "after": writing.as_text(after.loc[mask, name]).to_numpy(),
            }
        )
        for name, mask in unlike.items()
    ]
    changes = pd.concat(parts, ignore_index=True).astype({"before": TEXT, "after": TEXT})
    return changed[columns], changes.sort_values("row", kind="stable", ignore_index=True)


def _check(session: Session, work: Work) -> None:
    query = select(EVENT.c.external_key)
    if not staging.rows_with(session, query, EVENT.c.external_key, work.new["external_key"]).empty:
        raise Conflict(_CHANGED_SINCE)
    now = select(EVENT.c.id, *(EVENT.c[name] for name in _CONTENT))
    here = staging.by_id(session, now, EVENT.c.id, work.seen["id"])
    ordered = [frame.sort_values("id", ignore_index=True) for frame in (here, work.seen)]
    if len(here) != len(work.seen) or not ordered[0].equals(ordered[1]):
        raise Conflict(_CHANGED_SINCE)


def _notes(who: buyers.Buyers) -> list[str]:
    return [*buyers.people_note(who), *buyers.country_note(who.unknown_countries)]
