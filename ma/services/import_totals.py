"""A file of campaigns as their platform added them up: what it would change, and changing it."""

import json
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ma.analytics.workspace import workspace
from ma.db import staging
from ma.errors import Conflict
from ma.files.columns import Target
from ma.models import Campaign, CampaignAggregate
from ma.money import digits
from ma.services import campaign_fields as fields
from ma.services import import_campaigns as campaigns
from ma.services import import_total_rates as rates
from ma.services import import_values as values
from ma.services import import_writing as writing
from ma.services.import_customers import duplicates
from ma.services.import_orders import unlike
from ma.services.import_plans import TEXT, Options, Rows, no_changes
from ma.text import fold
from ma.types import FUNNEL_STEPS, SIDE_STEPS, Actor, Channel

CAMPAIGN, AGGREGATE = Campaign.__table__, CampaignAggregate.__table__
KEYS = ("campaign_key", "name", "subject")
STEPS = (*FUNNEL_STEPS, *SIDE_STEPS[Channel.EMAIL])
FIGURES = (*STEPS, "revenue_minor")
# What a column of whole numbers holds on every engine.
_MOST = 2**31 - 1
_LABELS = {
    "sent": (
        "Recipients",
        ("total recipients", "send count", "emails sent", "sends", "sent to", "empfänger"),
    ),
    "delivered": ("Delivered", ("successful deliveries", "deliveries", "delivered emails", "zugestellt")),
    "bounced": ("Bounces", ("total bounces", "bounced emails", "rückläufer")),
    "soft_bounced": ("Soft bounces", ("stats soft bounces",)),
    "hard_bounced": ("Hard bounces", ("stats hard bounces",)),
    "opened": ("People who opened", ("unique opens", "stats unique opens", "opens unique", "unique opened")),
    "clicked": ("People who clicked", ("unique clicks", "stats unique clicks", "clicks unique")),
    "converted": (
        "People who ordered",
        ("unique placed order", "unique placed orders", "unique conversions"),
    ),
    "unsubscribed": ("Unsubscribed", ("unsubscribes", "unsubs", "stats unsubs", "abmeldungen")),
    "complained": ("Complaints", ("spam complaints", "abuse complaints", "stats spam complaints")),
}
COUNTS = tuple(_LABELS)
_RATES = {
    "open_rate": ("Open rate", ("stats open rate",)),
    "click_rate": ("Click rate", ("stats click rate",)),
    "conversion_rate": ("Order rate", ("placed order rate",)),
    "bounce_rate": ("Bounce rate", ()),
    "unsubscribe_rate": ("Unsubscribe rate", ()),
    "complaint_rate": ("Complaint rate", ("spam complaints rate", "abuse complaint rate")),
}
TARGETS = (
    Target("campaign_key", "Campaign's id on the platform", ("campaign id", "id", "message id")),
    Target("name", "Campaign", ("campaign name", "title", "campaign title", "kampagne")),
    Target("subject", "Subject", ("subject line", "betreff")),
    Target(
        "at", "Time of sending", ("sent at", "send time", "send date", "sent on", "gesendet"), True, "moment"
    ),
    Target("channel", "Channel", ("campaign channel", "kanal")),
    *(Target(name, label, aliases, name == "sent", "number") for name, (label, aliases) in _LABELS.items()),
    Target("revenue", "Revenue", ("total revenue", "stats revenue", "umsatz"), kind="amount"),
    *(Target(name, label, aliases) for name, (label, aliases) in _RATES.items()),
)
_SAME = "Row {row} is the same campaign with other figures. Keep one row for each campaign."
_NOT_PEOPLE = (
    "These are more than it was delivered to: all opens or clicks, not people. Choose the unique ones."
)
_CHANGED_SINCE = campaigns.CHANGED_SINCE
_TAKEN = (
    "A campaign of this name is here that is known by person or was planned here. "
    "Give this one another name in the file: it would be counted twice."
)


@dataclass
class Work:
    """What `apply` writes: figures by position in the file, with the campaign's columns, or its id and what
    it held (`was_`)."""

    new: pd.DataFrame
    changed: pd.DataFrame


def targets(session: Session) -> tuple[Target, ...]:
    """What a platform says of a campaign."""
    return TARGETS


def mapping_problems(mapping: dict[str, str]) -> dict[str, str]:
    """A name, unique people, and both kinds of bounces or neither."""
    problems = {}
    if "name" not in mapping and "subject" not in mapping:
        problems["name"] = "Choose the column that names the campaign, or its subject."
    for name in ("opened", "clicked"):
        header = mapping.get(name, "").casefold()
        if "total" in header and "unique" not in header:
            problems[name] = (
                f"“{mapping[name]}” counts how often, not how many people. Choose the unique ones."
            )
    for one, other in (("soft_bounced", "hard_bounced"), ("hard_bounced", "soft_bounced")):
        if one in mapping and not {other, "bounced"} & mapping.keys():
            problems[other] = "Bounces are soft and hard ones together. Choose the column of these too."
    return problems


def plan(session: Session, rows: Rows, key: str, options: Options, at: datetime):
    """(status of each row, work, changes, notes)."""
    place = workspace(session)
    frame = _read(rows, key, place, at)
    told = frame.drop(columns=["key"])
    again = duplicates(rows, told, frame["key"].where(~rows.wrong), key, _SAME)
    stored = _stored(session)
    frame["campaign_id"] = _found(frame, stored, key)
    twice = frame["campaign_id"].where(~rows.wrong & ~again).duplicated() & frame["campaign_id"].notna()
    rows.reject(twice & ~rows.wrong & ~again, key, "Another row is the same campaign. Keep one of them.")
    if key != "campaign_key":
        _reject_other_ids(rows, frame, stored, ~rows.wrong & ~again)
    known = frame["campaign_id"].notna()
    old = stored.set_index("campaign_id").reindex(frame["campaign_id"].fillna(-1)).set_axis(frame.index)
    for name in (*FIGURES, "external_id"):
        frame[name] = frame[name].fillna(old[name])
    _reject_impossible(rows, frame)
    kept = ~rows.wrong & ~again
    frame["name"] = _free_names(session, rows, frame, kept & ~known.to_numpy())
    kept &= ~rows.wrong
    frame["steps"] = [",".join(step for step in STEPS if one[step]) for one in _known_steps(frame)]
    differs = pd.DataFrame({name: unlike(frame[name], old[name]) for name in (*FIGURES, "external_id")})
    was = old[[*FIGURES, "external_id", "steps"]].add_prefix("was_")
    changed = frame.join(was)[kept & known.to_numpy() & differs.any(axis=1).to_numpy()]
    new = frame[kept & ~known.to_numpy()]
    status = np.where(rows.wrong, "rejected", "unchanged").astype(object)
    status[new.index], status[changed.index] = "new", "changed"
    return status, Work(new, changed), _changes(rows, changed, differs), rates.notes(rows, frame, kept)


def apply(session: Session, actor: Actor, work: Work, *, run_id: int, at: datetime, step) -> dict[str, int]:
    """Write what was planned; returns more counts. Raises Conflict when it no longer holds."""
    _check(session, work)
    step(0.1, "Adding campaigns")
    new, changed = work.new, work.changed
    window = fields.DEFAULTS["conversion_window_days"]
    rows = new[["name", "channel", "subject", "steps", "sent"]].assign(
        name_folded=[fold(name) for name in new["name"]],
        launched_at=new["at"],
        last_sent_at=new["at"],
        conversion_window_days=window,
    )
    ids = campaigns.add(session, actor, rows, at=at)
    step(0.5, "Adding totals")
    writing.insert(session, AGGREGATE, new[["external_id", *FIGURES]].assign(campaign_id=ids))
    step(0.7, "Changing totals")
    _change(session, changed, at)
    before = pd.Series(["{}"] * len(new) + [_before(one) for one in changed.to_dict("records")])
    touched = np.concatenate([ids, changed["campaign_id"].to_numpy(dtype="int64")])
    writing.keep_before(session, campaigns.NOUN, touched, before, None, run_id)
    return {"campaigns": len(new)}


def _read(rows: Rows, key: str, place, at: datetime) -> pd.DataFrame:
    """The figures of each row; what cannot be read is refused."""
    frame = pd.DataFrame(
        {
            "external_id": values.short_texts(rows, "campaign_key", "campaign's id", 100),
            "name": values.short_texts(rows, "name", "campaign's name", fields.LONGEST_NAME),
            "subject": values.short_texts(rows, "subject", "subject", 1_000),
            "at": campaigns.instants(rows, "at", timezone=place.timezone, at=at),
            "channel": campaigns.channels(rows).fillna(Channel.EMAIL.value),
        }
    )
    rows.reject(frame["at"].isna(), "at", "There is no time of sending. Fill it in.")
    if "name" not in rows:
        frame["name"] = frame["subject"].str.slice(0, fields.LONGEST_NAME).str.strip()
    frame["subject"] = frame["subject"].fillna("")
    blamed = "name" if "name" in rows else "subject"
    rows.reject(frame["name"].isna(), blamed, "The campaign has no name. Fill it in.")
    if key == "campaign_key":
        rows.reject(frame["external_id"].isna(), key, "There is no id. Fill it in, or use another key.")
        frame["key"] = frame["external_id"]
    else:
        folded = frame["name"].fillna("").map(fold)
        frame["key"] = folded + "\x1f" + frame["at"].astype("int64").astype(TEXT)
    for name in COUNTS:
        frame[name] = _count(rows, name)
    rows.reject(frame["sent"].isna(), "sent", "It is not said how many it was sent to. Fill it in.")
    revenue = values.decimals(rows, "revenue", digits(place.currency))
    rows.reject((revenue < 0).fillna(False), "revenue", "The revenue cannot be negative. Correct it.")
    return _with_bounces(frame.assign(revenue_minor=revenue))


def _count(rows: Rows, name: str) -> pd.Series:
    numbers = values.numbers(rows, name)
    told = "This is no number of people: they are whole, 0 or more, and at most 2,147,483,647. Correct it."
    wrong = ((numbers < 0) | (numbers > _MOST) | (numbers % 1 != 0)).fillna(False).to_numpy(dtype=bool)
    rows.reject(wrong, name, told)
    return numbers.mask(wrong).astype("Int64")


def _with_bounces(frame: pd.DataFrame) -> pd.DataFrame:
    """Bounces are soft and hard ones; delivered is what did not bounce, where the file does not say it."""
    both = frame.pop("soft_bounced") + frame.pop("hard_bounced")
    bounced = frame["bounced"].fillna(both)
    bounced = bounced.fillna(frame["sent"] - frame["delivered"])
    return frame.assign(bounced=bounced, delivered=frame["delivered"].fillna(frame["sent"] - bounced))


def _reject_impossible(rows: Rows, frame: pd.DataFrame) -> None:
    arrived = frame["delivered"].fillna(frame["sent"])
    more = (frame["delivered"].fillna(0) + frame["bounced"].fillna(0)) > frame["sent"]
    more |= (frame["delivered"] < 0) | (frame["bounced"] < 0)
    told = "More were delivered and bounced than it was sent to. Correct the figures."
    blamed = next((name for name in ("delivered", "bounced", "soft_bounced") if name in rows), "sent")
    more = more.fillna(False).to_numpy(dtype=bool)
    rows.reject(more, blamed, told)
    for name in ("opened", "clicked"):
        rows.reject((frame[name] > arrived).fillna(False) & ~more, name, _NOT_PEOPLE)
    for name in ("converted", "unsubscribed", "complained"):
        told = "These are more people than it was delivered to. Correct the figure."
        rows.reject((frame[name] > arrived).fillna(False) & ~more, name, told)


def _stored(session: Session) -> pd.DataFrame:
    """All totals that are here, with their campaign."""
    names = (AGGREGATE.c[name] for name in ("campaign_id", "external_id", *FIGURES))
    query = select(*names, CAMPAIGN.c.name_folded, CAMPAIGN.c.launched_at, CAMPAIGN.c.steps).join(
        CAMPAIGN, CAMPAIGN.c.id == AGGREGATE.c.campaign_id
    )
    return staging.rows(session, query)


def _found(frame: pd.DataFrame, stored: pd.DataFrame, key: str) -> pd.Series:
    """The campaign that is meant, by its platform's id, else by its name and time."""
    found = pd.Series(pd.NA, index=frame.index, dtype="Int64")
    if stored.empty:
        return found
    with_id = stored.dropna(subset="external_id").set_index("external_id")["campaign_id"]
    if key == "campaign_key":
        found = frame["external_id"].map(with_id).astype("Int64")
        # A platform's id names one campaign: who has another one is another.
        stored = stored[stored["external_id"].isna()]
    by_name = stored.set_index(_name_and_time(stored["name_folded"], stored["launched_at"]))["campaign_id"]
    for spelled in _spellings(frame):
        wanted = _name_and_time(spelled.map(fold, na_action="ignore"), frame["at"])
        found = found.fillna(wanted.map(by_name).astype("Int64"))
    return found


def _reject_other_ids(rows: Rows, frame: pd.DataFrame, stored: pd.DataFrame, kept: np.ndarray) -> None:
    """Where names tell campaigns apart, an id still belongs to one of them."""
    said = frame["external_id"].where(kept)
    holder = said.map(stored.dropna(subset="external_id").set_index("external_id")["campaign_id"])
    here = frame["campaign_id"].map(stored.set_index("campaign_id")["external_id"])
    wrong = said.duplicated() | (holder.notna() & (holder != frame["campaign_id"]).fillna(True))
    wrong |= here.notna() & (here != said)
    told = "The id belongs to another campaign. Correct it, or match the rows by it."
    rows.reject(said.notna() & wrong.to_numpy(dtype=bool), "campaign_key", told)


def _name_and_time(folded: pd.Series, at: pd.Series) -> pd.Series:
    return folded.astype(TEXT) + "\x1f" + at.dt.as_unit("us").astype("int64").astype(TEXT)


def _spellings(frame: pd.DataFrame) -> list[pd.Series]:
    """How a campaign may be called here: names are taken once, and platforms use them again and again."""
    name = frame["name"]
    spelled = [name]
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S"):
        suffix = " (" + frame["at"].dt.strftime(form).astype(TEXT) + ")"
        cut = fields.LONGEST_NAME - suffix.str.len().max() if len(frame) else fields.LONGEST_NAME
        spelled.append(name.str.slice(0, int(cut)).str.strip() + suffix if cut == cut else name)
    return spelled


def _free_names(session: Session, rows: Rows, frame: pd.DataFrame, new: np.ndarray) -> pd.Series:
    """A name for each new campaign that no other has; refuses those of campaigns known otherwise."""
    here = session.execute(
        select(CAMPAIGN.c.name_folded, AGGREGATE.c.campaign_id).outerjoin(
            AGGREGATE, AGGREGATE.c.campaign_id == CAMPAIGN.c.id
        )
    ).all()
    others = {row.name_folded for row in here if row.campaign_id is None}
    blamed = "name" if "name" in rows else "subject"
    folded = frame["name"].map(fold, na_action="ignore")
    rows.reject(new & folded.isin(others).to_numpy(), blamed, _TAKEN)
    used = {row.name_folded for row in here}
    names = frame["name"].copy()
    left = np.flatnonzero(new & ~rows.wrong)
    for spelled in _spellings(frame):
        wanted = spelled.iloc[left].map(fold)
        free = (~wanted.isin(used) & ~wanted.duplicated()).to_numpy(dtype=bool)
        names.iloc[left[free]] = spelled.iloc[left[free]]
        used |= set(wanted[free])
        left = left[~free]
    mask = np.zeros(len(frame), dtype=bool)
    mask[left] = True
    rows.reject(mask, blamed, "Another campaign has this name and time. Give it another name in the file.")
    return names


def _known_steps(frame: pd.DataFrame) -> list[dict]:
    return frame[list(STEPS)].notna().to_dict("records")


def _changes(rows: Rows, changed: pd.DataFrame, differs: pd.DataFrame) -> pd.DataFrame:
    labels = {name: _LABELS[name][0] for name in STEPS}
    labels |= {"revenue_minor": "Revenue", "external_id": "Campaign's id on the platform"}
    parts = [no_changes()]
    for name, label in labels.items():
        mine = changed[differs.loc[changed.index, name]]
        parts.append(
            pd.DataFrame(
                {
                    "row": rows.numbers(mine.index.to_numpy()),
                    "customer": mine["name"].to_numpy(),
                    "field": label,
                    "before": writing.as_text(mine[f"was_{name}"]).to_numpy(),
                    "after": writing.as_text(mine[name]).to_numpy(),
                }
            )
        )
    changes = pd.concat(parts, ignore_index=True).astype({"before": TEXT, "after": TEXT})
    return changes.sort_values("row", kind="stable", ignore_index=True)


def _check(session: Session, work: Work) -> None:
    """Raises Conflict unless what was found is still so, and what is new still is not here."""
    names = pd.Series([fold(name) for name in work.new["name"]], dtype=TEXT)
    campaigns.check_absent(session, names)
    now = _stored(session)
    if now["external_id"].dropna().isin(work.new["external_id"].dropna()).any():
        raise Conflict(_CHANGED_SINCE)
    columns = [*FIGURES, "external_id", "steps"]
    seen = work.changed.set_index(work.changed["campaign_id"].astype("int64"))
    seen = seen[[f"was_{name}" for name in columns]].set_axis(columns, axis=1).sort_index()
    now = now.set_index(now["campaign_id"].astype("int64"))[columns]
    if not set(seen.index) <= set(now.index):
        raise Conflict(_CHANGED_SINCE)
    if not now.loc[seen.index].equals(seen.astype(now.dtypes)):
        raise Conflict(_CHANGED_SINCE)


def _change(session: Session, changed: pd.DataFrame, at: datetime) -> None:
    if changed.empty:
        return
    columns = ["campaign_id", "external_id", *FIGURES]
    like = {name: AGGREGATE.c[name] for name in columns} | {"steps": CAMPAIGN.c.steps}
    frame = changed[[*columns, "steps"]].sort_values("campaign_id")
    with staging.staged(session, frame, like) as new:
        session.execute(
            update(AGGREGATE)
            .where(AGGREGATE.c.campaign_id == new.c.campaign_id)
            .values({name: new.c[name] for name in columns[1:]})
        )
        session.execute(
            update(CAMPAIGN)
            .where(CAMPAIGN.c.id == new.c.campaign_id)
            .values(steps=new.c.steps, updated_at=at, version=CAMPAIGN.c.version + 1)
        )


def _before(changed: dict) -> str:
    held = {name: changed[f"was_{name}"] for name in (*FIGURES, "external_id")}
    total = {name: None if pd.isna(value) else value for name, value in held.items()}
    return json.dumps({"total": total, "steps": changed["was_steps"]})
