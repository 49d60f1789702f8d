"""A file of what people really did with campaigns: what it would change, and the fields it may have."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics.workspace import workspace
from ma.db import staging
from ma.errors import InvalidInput
from ma.files.columns import Target
from ma.models import Outcome
from ma.services import import_buyers as buyers
from ma.services import import_campaigns as campaigns
from ma.services import import_outcome_merging as merging
from ma.services import import_outcome_rows as outcome_rows
from ma.services import import_outcome_writing as outcome_writing
from ma.services import import_people as people
from ma.services.import_campaigns import LONGEST_WINDOW_DAYS
from ma.services.import_outcome_rows import STEPS, TIMES, Said
from ma.services.import_plans import TEXT, Options, Rows, no_changes
from ma.services.import_writing import as_text
from ma.types import FUNNEL_STEPS, SIDE_STEPS, Channel
from ma.types import STEPS as STEPS_OF

OUTCOME = Outcome.__table__
_KEYS, _VALUES = ("campaign", "customer_id"), (*TIMES, "revenue_minor")
_WAS = tuple(f"was_{name}" for name in _VALUES)
apply = outcome_writing.apply

_TIME_ALIASES = {
    "sent": ("sent", "send time", "sent time", "sent on", "send date", "date sent", "gesendet"),
    "delivered": ("delivered", "delivery time", "delivered on", "zugestellt"),
    "bounced": ("bounced", "bounce time", "bounced on", "hard bounce"),
    "opened": ("opened", "first open", "open time", "first opened", "opened on", "geöffnet"),
    "clicked": ("clicked", "first click", "click time", "first clicked", "clicked on", "geklickt"),
    "converted": ("converted", "conversion time", "order time", "ordered at", "purchased at", "gekauft"),
    "unsubscribed": ("unsubscribed", "unsubscribe time", "opted out at", "opt out time", "abgemeldet"),
    "complained": ("complained", "complaint time", "spam complaint", "marked as spam", "beschwerde"),
}
TARGETS = (
    Target("campaign", "Campaign", ("campaign name", "mailing", "campaign title", "kampagne")),
    Target("channel", "Channel", ("campaign channel", "medium", "kanal")),
    *(target for target in buyers.TARGETS if target.name in people.KEYS),
    *(Target(f"{step}_at", f"{step.capitalize()} at", _TIME_ALIASES[step], kind="moment") for step in STEPS),
    Target("revenue", "Revenue", ("order value", "conversion value", "amount", "umsatz"), kind="amount"),
    Target("variant", "Variant", ("version", "ab variant", "test group", "variante")),
    Target("held_out", "Held out", ("holdout", "control", "control group", "kontrollgruppe"), kind="yes_no"),
    Target("step", "Step, one in each row", ("event", "event type", "event name", "action", "status")),
    Target("at", "Time of the step", ("time", "timestamp", "event time", "date", "zeit"), kind="moment"),
)


@dataclass
class Work:
    """What `apply` writes. `campaigns`: those of the file, by the number that `new` and `changed` give.

    `new`: outcomes to be added. `changed`: what outcomes that are here will hold, and with `was_` what they
    hold now. `buyers`: who is to be added.
    """

    campaigns: pd.DataFrame
    new: pd.DataFrame
    changed: pd.DataFrame
    buyers: buyers.Buyers


def targets(session: Session) -> tuple[Target, ...]:
    """What a file can say of what people did."""
    return TARGETS


def mapping_problems(mapping: dict[str, str]) -> dict[str, str]:
    """A time for each step, or a row for each step; not both."""
    problems = {}
    times = [name for name in TIMES if name in mapping]
    if "step" in mapping and times:
        problems["step"] = "A file has a column for each step or a row for each step. Leave the one out."
    elif "step" in mapping and "at" not in mapping:
        problems["at"] = "Choose the column that says when the step was taken."
    elif "step" not in mapping and not times:
        problems["sent_at"] = "Choose the columns with the times, at least that of sending."
    elif "step" not in mapping and "revenue" in mapping and "converted_at" not in mapping:
        problems["converted_at"] = "Revenue comes with a conversion. Choose the column that says when it was."
    return problems


def plan(session: Session, rows: Rows, key: str, options: Options, at: datetime):
    """(status of each row, work, changes, notes)."""
    if not 1 <= options.window_days <= LONGEST_WINDOW_DAYS:
        raise InvalidInput({"window_days": f"Choose 1 to {LONGEST_WINDOW_DAYS} days."})
    place = workspace(session)
    campaign, found = campaigns.find(session, rows)
    who = buyers.find(session, rows, create=options.create_missing, only=key)
    rows.reject(who.identity.isna(), key, f"There is no {people.NAMES[key]}. Fill it in, or use another key.")
    said = outcome_rows.read(
        rows, campaign, who, key, timezone=place.timezone, currency=place.currency, at=at
    )
    window = found["conversion_window_days"].fillna(options.window_days).astype("int64")
    found = _with_steps(found.assign(conversion_window_days=window, was_steps=found["steps"]), said)
    merged = merging.merge(rows, said, _stored(session, found, said.units), found)
    buyers.settle(session, rows, who)
    units, notes = merged.units, merged.notes
    units["place"] = pd.array([pd.NA] * len(units), dtype="Int64")
    mine = units["row"] >= 0
    units.loc[mine, "place"] = who.place.iloc[units.loc[mine, "row"]].array
    status = np.where(rows.wrong, "rejected", "unchanged").astype(object)
    for name in ("new", "changed"):
        status[np.append(units[name].to_numpy()[: len(said.units)], False)[said.of_row]] = name
    # A column that was not there before says something of everybody, also where it is empty: it was not so.
    told = units["known"] & found["grows"].to_numpy()[units["campaign"]]
    status[np.append(told.to_numpy()[: len(said.units)], False)[said.of_row]] = "changed"
    changed = units[units["changed"]]
    found = _with_times(found, units[units["new"] | units["changed"] | told])
    work = Work(
        campaigns=found[found["sent"].notna()],
        new=units.loc[units["new"], [*_KEYS, "place", "held", "variant", "assigned_at", *_VALUES]],
        changed=changed[[*_KEYS, *_VALUES, *_WAS]],
        buyers=who,
    )
    return status, work, _changes(rows, changed[changed["row"] >= 0]), [
        *_campaign_notes(work.campaigns), *buyers.people_note(who), *notes,
    ]  # fmt: skip


def _with_steps(found: pd.DataFrame, said: Said) -> pd.DataFrame:
    """The campaigns with `steps`, what is known of each, `sees_` of each step, and when it `began`.

    A step is known where the file has a column for it, as far as the channel can know it or somebody took it;
    and where it was known before.
    """
    units = said.units
    taken = units[list(TIMES)].notna().groupby(units["campaign"]).any()
    taken = taken.reindex(range(len(found)), fill_value=False)
    for step in STEPS:
        can = [
            step in (*STEPS_OF[Channel(channel)], *SIDE_STEPS[Channel(channel)])
            if channel == channel
            else False
            for channel in found["channel"]
        ]
        before = [step in steps.split(",") if steps == steps else False for steps in found["was_steps"]]
        told = (np.array(can, dtype=bool) | taken[f"{step}_at"].to_numpy()) & (step in said.known)
        found[f"sees_{step}"] = told | np.array(before, dtype=bool) | (step == "sent")
    ordered = (*FUNNEL_STEPS, *SIDE_STEPS[Channel.EMAIL])
    seen = found[[f"sees_{step}" for step in ordered]].to_numpy(dtype=bool)
    found["steps"] = [",".join(np.array(ordered)[row]) for row in seen]
    found["grows"] = found["campaign_id"].notna() & (found["steps"] != found["was_steps"])
    first = units["sent_at"].fillna(units["delivered_at"]).fillna(units["bounced_at"])
    first = first.groupby(units["campaign"]).min().reindex(range(len(found)))
    return found.assign(began=found["launched_at"].fillna(first))


def _stored(session: Session, found: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """What is here of the people of the file; of a campaign whose steps grow, of everybody in it."""
    stored = (OUTCOME.c[name] for name in ("customer_id", "arm", "variant", "assigned_at", *_VALUES))
    query = select(*stored)
    parts = [staging.rows(session, query.where(OUTCOME.c.campaign_id == -1)).assign(campaign=0)]
    for number, one in enumerate(found.itertuples()):
        if pd.isna(one.campaign_id):
            continue
        mine = query.where(OUTCOME.c.campaign_id == int(one.campaign_id))
        if not one.grows:
            wanted = units.loc[units["campaign"] == number, "customer_id"].dropna()
            part = staging.by_id(session, mine, OUTCOME.c.customer_id, wanted)
        else:
            part = staging.rows(session, mine)
        parts.append(part.assign(campaign=number))
    frame = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    names = {name: f"was_{name}" for name in ("variant", "assigned_at", *_VALUES)}
    return frame.rename(columns=names).astype({"campaign": "int64"})


def _with_times(found: pd.DataFrame, written: pd.DataFrame) -> pd.DataFrame:
    """The campaigns with their first and last sending, and how many people are `sent` it newly.

    That is missing where nothing of a campaign is written.
    """
    groups = written.groupby("campaign")
    first = groups["assigned_at"].min().reindex(range(len(found)))
    newly = written[written["new"] & ~written["held"]].groupby("campaign").size()
    held = written[written["new"] & written["held"]].groupby("campaign").size()
    launched = found["launched_at"].fillna(first)
    last = groups["assigned_at"].max().reindex(range(len(found)))
    sent = newly.reindex(range(len(found)), fill_value=0).astype("Int64")
    held = held.reindex(range(len(found)), fill_value=0)
    return found.assign(
        launched_at=launched.mask(first < launched, first),
        last_sent_at=last,
        sent=sent.mask(first.isna()),
        # What was planned is not known: what came of it is the nearest to it. Nobody plans to hold out all.
        holdout_share=(held / (held + sent)).where(sent > 0).astype(float).fillna(0.0),
        was_launched_at=found["launched_at"],
    )


def _changes(rows: Rows, changed: pd.DataFrame) -> pd.DataFrame:
    """The diff of what is here already: a step has a time from now on, or a conversion another revenue."""
    parts = []
    for name in _VALUES:
        was = changed[f"was_{name}"]
        differs = (
            (changed[name] != was.fillna(0))
            if name == "revenue_minor"
            else was.isna() & changed[name].notna()
        )
        mine = changed[differs.to_numpy(dtype=bool)]
        label = "Revenue" if name == "revenue_minor" else f"{name.removesuffix('_at').capitalize()} at"
        parts.append(
            pd.DataFrame(
                {
                    "row": rows.numbers(mine["row"].to_numpy()),
                    "customer": mine["customer_id"].to_numpy(),
                    "field": label,
                    "before": as_text(mine[f"was_{name}"]).to_numpy(),
                    "after": as_text(mine[name]).to_numpy(),
                }
            )
        )
    changes = pd.concat([no_changes(), *parts], ignore_index=True).astype({"before": TEXT, "after": TEXT})
    return changes.sort_values("row", kind="stable", ignore_index=True)


def _campaign_notes(written: pd.DataFrame) -> list[str]:
    new = written[written["campaign_id"].isna()]
    if new.empty:
        return []
    shown = ", ".join(f"“{name}”" for name in new["name"].iloc[:5]) + (", …" if len(new) > 5 else "")
    return [f"{len(new):,} {'campaign is' if len(new) == 1 else 'campaigns are'} added: {shown}."]
