"""A file of what people allow: what it would change, and changing it."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ma.analytics.workspace import workspace
from ma.db import staging
from ma.files.columns import Target
from ma.models import ConsentChange, Customer
from ma.services import import_buyers as buyers
from ma.services import import_customers as customers
from ma.services import import_people as people
from ma.services import import_values as values
from ma.services import import_writing as writing
from ma.services.import_plans import TEXT, Options, Rows, no_changes
from ma.text import words
from ma.types import Actor, Channel

CUSTOMER, HISTORY = Customer.__table__, ConsentChange.__table__
_WORDS = {
    Channel.EMAIL: "email emails mail newsletter",
    Channel.SMS: "sms text",
    Channel.PUSH: "push notification notifications",
    Channel.DIRECT_MAIL: "directmail post letter postal brief",
    Channel.ADS: "ads ad advertising",
}
_CHANNEL_OF = {word: channel.value for channel, known in _WORDS.items() for word in known.split()}

TARGETS = (
    *buyers.TARGETS,
    *(
        Target(
            f"consent_{channel}",
            f"{channel.label} allowed",
            (f"{channel.label} opt in", channel.value),
            kind="yes_no",
        )
        for channel in Channel
    ),
    Target("channel", "Channel", ("medium", "kanal")),
    Target(
        "allowed",
        "Allowed",
        ("consent", "opt in", "opted in", "subscribed", "status", "erlaubt"),
        kind="yes_no",
    ),
    Target("at", "Time", ("date", "timestamp", "changed at", "consent date", "datum", "zeit"), kind="moment"),
)


@dataclass
class Work:
    """What `apply` writes."""

    changed: pd.DataFrame
    consent: pd.DataFrame
    buyers: buyers.Buyers


def targets(session: Session) -> tuple[Target, ...]:
    """Whose consent, to what, since when."""
    return TARGETS


def mapping_problems(mapping: dict[str, str]) -> dict[str, str]:
    """A column for each channel, or one that names the channel beside one that says yes or no."""
    problems = {}
    if "channel" in mapping and "allowed" not in mapping:
        problems["allowed"] = "Choose the column that says whether the channel is allowed."
    if "allowed" in mapping and "channel" not in mapping:
        problems["channel"] = "Choose the column that says which channel it is."
    if not problems and "channel" not in mapping and not any(f"consent_{c}" in mapping for c in Channel):
        problems["channel"] = "Choose a column for at least one channel."
    return problems


def plan(session: Session, rows: Rows, key: str, options: Options, at: datetime):
    """(status of each row, work, changes, notes)."""
    said = _said(rows, workspace(session).timezone, at)
    who = buyers.find(session, rows, create=options.create_missing, only=key)
    rows.reject(who.identity.isna(), key, f"There is no {people.NAMES[key]}. Fill it in, or use another key.")
    said["identity"] = who.identity.reindex(said["position"]).to_numpy()
    _reject_contradictions(rows, said, key)
    buyers.settle(session, rows, who)
    said = said[~rows.wrong[said["position"]]]
    # Of several times the last one counts.
    last = said.sort_values("at", kind="stable").drop_duplicates(["identity", "channel"], keep="last")
    last = last.assign(
        customer_id=who.customer_id.reindex(last["position"]).to_numpy(),
        place=who.place.reindex(last["position"]).to_numpy(),
    )
    known = last[last["customer_id"].notna()].astype({"customer_id": "int64"})
    # Two keys may be one person by now, if one record was merged into the other.
    known = known.drop_duplicates(["customer_id", "channel"], keep="last")
    new = last[last["place"].notna() & last["allowed"]]
    changed, real, changes, counts = _compare(session, rows, known, options)
    counts["raised"] += new["place"].nunique()
    if options.record_consent:
        for channel, mine in new.groupby("channel"):
            flag = who.added[f"consent_{channel}"].to_numpy().copy()
            flag[mine["place"].to_numpy(dtype="int64")] = True
            who.added[f"consent_{channel}"] = flag
    else:
        new = new[:0]
    status = np.where(rows.wrong, "rejected", "unchanged").astype(object)
    status[who.place.notna().to_numpy() & ~rows.wrong] = "new"
    status[real["position"]] = "changed"
    columns = ["customer_id", "place", "channel", "allowed", "at"]
    history = pd.concat([new[columns], real.assign(place=pd.NA)[columns]], ignore_index=True)
    notes = customers.consent_notes({"raised": 0}, counts, options)
    if counts["late"]:
        notes.append(
            f"{counts['late']:,} times somebody said no later than the yes in the file: it stays a no."
        )
    return status, Work(changed, history, who), changes, [*buyers.people_note(who), *notes]


def apply(session: Session, actor: Actor, work: Work, *, run_id: int, at: datetime, step) -> dict[str, int]:
    """Write what was planned; returns more counts. Raises Conflict when it no longer holds."""
    added = buyers.add(session, work.buyers, run_id=run_id, at=at, step=step)
    step(0.85, "Changing customers")
    writing.change_customers(session, work.changed, run_id=run_id, at=at)
    writing.record_consent(session, actor, work.consent, added, run_id=run_id, at=at)
    return {"customers": len(added)}


def _said(rows: Rows, timezone: str, at: datetime) -> pd.DataFrame:
    """position, channel, allowed, at: one row for each thing that the file says."""
    moment = pd.Series(pd.Timestamp(at), index=range(len(rows)))
    if "at" in rows:
        moment = values.moments(rows, "at", timezone=timezone, latest=pd.Timestamp(at)).fillna(
            pd.Timestamp(at)
        )
    parts = [
        (channel.value, values.flags(rows, f"consent_{channel}"))
        for channel in Channel
        if f"consent_{channel}" in rows
    ]
    frames = [
        pd.DataFrame(
            {"position": allowed.index, "channel": channel, "allowed": allowed.to_numpy(), "at": moment}
        )
        for channel, allowed in parts
    ]
    if "channel" in rows:
        channel = values.texts(rows, "channel", _channel)
        rows.reject(rows.texts("channel").isna(), "channel", "There is no channel. Fill it in.")
        allowed = values.flags(rows, "allowed")
        rows.reject(
            rows.texts("allowed").isna(), "allowed", "It is not said whether it is allowed. Say yes or no."
        )
        frames.append(
            pd.DataFrame(
                {
                    "position": range(len(rows)),
                    "channel": channel,
                    "allowed": allowed.to_numpy(),
                    "at": moment,
                }
            )
        )
    said = pd.concat(frames, ignore_index=True)
    said["allowed"] = said["allowed"].astype("boolean")
    said = said.dropna(subset=["channel", "allowed"])
    return said.astype({"allowed": bool, "channel": TEXT})


def _channel(text: str) -> tuple[str | None, str | None]:
    channel = _CHANNEL_OF.get("".join(words(text)))
    known = ", ".join(channel.label for channel in Channel)
    return channel, None if channel else f"This is no channel. Use one of {known}."


def _reject_contradictions(rows: Rows, said: pd.DataFrame, key: str) -> None:
    """Of a yes and a no of the same person for the same time, the no counts."""
    group = said[said["identity"].notna()].groupby(["identity", "channel", "at"])["allowed"]
    against = group.transform("min").reindex(said.index) != said["allowed"]
    wrong = np.zeros(len(rows), dtype=bool)
    wrong[said.loc[against & said["identity"].notna(), "position"]] = True
    words = "Another row says no for the same person and channel, and the no counts. Keep the right one."
    rows.reject(wrong, key, words)


def _compare(session: Session, rows: Rows, known: pd.DataFrame, options: Options):
    """(customers' new values, what really changes, diff, counts) of customers who are there already."""
    flags = [f"consent_{channel}" for channel in Channel]
    counts = {"raised": 0, "lowered": 0, "late": 0}
    query = select(CUSTOMER.c.id, CUSTOMER.c.version, *(CUSTOMER.c[name] for name in flags))
    now = (
        staging.by_id(session, query, CUSTOMER.c.id, known["customer_id"])
        .set_index("id")
        .astype(dict.fromkeys(flags, bool))
    )
    if now.empty:
        return pd.DataFrame(), known, no_changes(), counts
    before = now.melt(value_vars=flags, var_name="channel", value_name="before", ignore_index=False)
    before["channel"] = before["channel"].str.removeprefix("consent_")
    joined = known.merge(before, left_on=["customer_id", "channel"], right_on=["id", "channel"], how="left")
    differs = joined["allowed"] != joined["before"]
    late = differs & joined["allowed"] & (_last_no(session, joined) > joined["at"])
    raised = differs & joined["allowed"] & ~late
    counts = {
        "raised": joined.loc[raised, "customer_id"].nunique(),
        "lowered": joined.loc[differs & ~joined["allowed"], "customer_id"].nunique(),
        "late": int(late.sum()),
    }
    real = joined[differs & ~late & (~joined["allowed"] | options.record_consent)]
    after = now.copy()
    for channel, mine in real.groupby("channel"):
        after.loc[mine["customer_id"], f"consent_{channel}"] = mine["allowed"].to_numpy()
    touched = after.index.isin(real["customer_id"])
    changed = after[touched].reset_index().assign(before=_before(now[touched], after[touched], flags))
    labels = {channel.value: f"{channel.label} allowed" for channel in Channel}
    changes = pd.DataFrame(
        {
            "row": rows.numbers(real["position"]),
            "customer": real["customer_id"].to_numpy(),
            "field": real["channel"].map(labels).to_numpy(),
            "before": writing.as_text(real["before"].astype(bool)).to_numpy(),
            "after": writing.as_text(real["allowed"]).to_numpy(),
        }
    ).astype({"before": TEXT, "after": TEXT})
    return changed, real, changes.sort_values("row", kind="stable", ignore_index=True), counts


def _before(now: pd.DataFrame, after: pd.DataFrame, flags: list[str]) -> np.ndarray:
    pieces = [writing.json_piece(name, now[name], (now[name] != after[name]).to_numpy()) for name in flags]
    return writing.json_objects(pieces, len(now))


def _last_no(session: Session, joined: pd.DataFrame) -> pd.Series:
    """When they last withdrew each channel; long ago where they never did."""
    at = func.max(HISTORY.c.at).label("last_at")
    at.type = HISTORY.c.at.type
    query = (
        select(HISTORY.c.customer_id, HISTORY.c.channel, at)
        .where(HISTORY.c.allowed.is_(False))
        .group_by(HISTORY.c.customer_id, HISTORY.c.channel)
    )
    found = staging.by_id(session, query, HISTORY.c.customer_id, joined["customer_id"])
    found = found.astype({"customer_id": "int64"})
    last = joined[["customer_id", "channel"]].merge(found, on=["customer_id", "channel"], how="left")[
        "last_at"
    ]
    return last.fillna(pd.Timestamp(0, tz="UTC")).set_axis(joined.index)
