"""The demo world: a real panel of shoppers, moved to the present, and a marketing team's work on it."""

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma import clock, demo_follow_up
from ma.db.engine import Database
from ma.models import Segment, Workspace
from ma.services import (
    attributes,
    campaign_imports,
    campaigns,
    customers,
    due,
    facts,
    launches,
    notes,
    scoring,
    tags,
)
from ma.services.auth import create_user
from ma.services.profiles import rebuild_profiles
from ma.services.segments import create_segment, refresh_segment
from ma.services.workspace import WORKSPACE_ID, create_workspace
from ma.settings import DATA
from ma.subscribers import leads
from ma.types import SYSTEM, Role

PANEL = DATA / "complete_journey"
PANEL_LAST_DAY = date(2017, 12, 31)
TIMEZONE = "America/New_York"
SEED = 2017
OPENING = timedelta(hours=8)
SOURCE = "the complete journey"
# Invented, like the customers' names.
SALES_TEAM = ("Dana Whitfield", "Marcus Boyle", "Priya Raman")

Progress = Callable[[float, str], None]


def load(
    database: Database, *, now: datetime, seed: int = SEED, progress: Progress = lambda *_: None
) -> dict:
    """Load the demo world into an empty, migrated database; returns what was loaded, as counts.

    One transaction: killed in the middle, nothing is there and the next run starts anew. The same seed
    and day (in the shop's time zone) give the same world.
    """
    # Everything hangs on the last eight o'clock, not on the minute at which the demo is loaded.
    today = clock.local_day(now - OPENING, TIMEZONE)
    opening = clock.day_start(today, TIMEZONE) + OPENING
    shift = weeks_to(today - timedelta(days=1))
    with database.writing() as session:
        progress(0.0, "Workspace")
        create_workspace(session, SYSTEM, name="Demo grocer", timezone=TIMEZONE, currency="USD", at=opening)
        workspace = session.get(Workspace, WORKSPACE_ID)
        workspace.demo_loaded_at, workspace.demo_seed = now, seed
        create_user(
            session,
            SYSTEM,
            username="admin",
            name="Demo admin",
            role=Role.ADMIN,
            password="admin123",
            at=opening,
            demo=True,
        )
        people = _customers(session, shift, opening, progress)
        baskets = _purchases(session, people, shift, opening, progress)
        visits = _visits(session, people, shift, opening, progress)
        progress(0.55, "Customer profiles")
        rebuild_profiles(session, as_of=opening)
        mailings = _mailings(session, people, shift, opening, progress)
        segments = _segments(session, opening, progress)
        for name in SALES_TEAM:
            leads.add_rep(session, SYSTEM, name=name)
        simulated = _campaigns(session, opening, seed, progress)
        progress(0.92, "Leads and tickets")
        demo_follow_up.work(session, opening, team=SALES_TEAM)
        progress(0.93, "Profiles and segments as of today")
        rebuild_profiles(session, as_of=opening)
        _about_people(session, people, shift, opening)
        progress(0.95, "What customers are worth")
        scoring.store(session, SYSTEM, scoring.scores(session, at=opening))
        for segment_id in session.scalars(select(Segment.id)).all():
            refresh_segment(session, SYSTEM, segment_id, at=opening)
        progress(0.98, "Saving")
    progress(1.0, "Done")
    return {
        "customers": len(people),
        "purchases": baskets,
        "visits": visits,
        "imported_campaigns": mailings,
        "segments": segments,
        "simulated_campaigns": simulated,
    }


def weeks_to(yesterday: date) -> timedelta:
    """The whole weeks after which the panel's last day lies nearest to yesterday."""
    return timedelta(weeks=round((yesterday - PANEL_LAST_DAY).days / 7))


def _read(name: str) -> pd.DataFrame:
    frame = pd.read_parquet(PANEL / f"{name}.parquet")
    choices = frame.select_dtypes("category").columns
    return frame.astype(dict.fromkeys(choices, object))


def _instants(local: pd.Series, shift: timedelta) -> pd.Series:
    """Store time, moved by whole weeks, as instants. Clock changes now fall on other days than in 2017."""
    moved = (local + shift).dt.as_unit("us")
    return moved.dt.tz_localize(TIMEZONE, ambiguous=False, nonexistent="shift_forward").dt.tz_convert("UTC")


def _days(days: pd.Series, shift: timedelta) -> pd.Series:
    return pd.to_datetime(days).dt.as_unit("us") + shift


def _customers(session: Session, shift: timedelta, at: datetime, progress: Progress) -> pd.Series:
    """Import the households; returns customer id by household id."""
    progress(0.03, "2,469 households")
    frame = _read("customers").set_index("household_id")
    # Birthdays are invented for the year the panel is from; people keep their age.
    frame["birth_date"] = _days(frame["birth_date"], shift).dt.date
    frame["joined_on"] = _days(frame["joined_on"], shift).dt.date
    frame["consent_ads"] = frame["consent_email"] & frame["consent_push"]
    frame.insert(0, "external_id", [f"HH-{household:04d}" for household in frame.index])
    # Invented like the consent itself, so that it comes before the first message.
    joined = pd.to_datetime(frame["joined_on"]).dt.tz_localize(TIMEZONE).dt.tz_convert("UTC").dt.as_unit("us")
    return customers.import_customers(
        session, SYSTEM, frame, source=SOURCE, at=at, consent_since=joined.clip(upper=pd.Timestamp(at))
    )


def _purchases(session, people: pd.Series, shift: timedelta, at: datetime, progress: Progress) -> int:
    progress(0.1, "155,848 baskets")
    baskets, lines = _read("baskets"), _read("basket_departments")
    purchases = pd.DataFrame(
        {
            "external_key": baskets["basket_id"].astype(str),
            "customer_id": baskets["household_id"].map(people),
            "kind": "sale",
            "at": _instants(baskets["at"], shift),
            "amount_minor": baskets["amount_minor"].astype("int64"),
        }
    )
    lines = lines.assign(
        external_key=lines["basket_id"].astype(str), category=lines["department"].str.capitalize()
    )
    return facts.import_purchases(session, SYSTEM, purchases, lines, source=SOURCE, at=at)


def _visits(session, people: pd.Series, shift: timedelta, at: datetime, progress: Progress) -> int:
    progress(0.45, "53,494 invented web visits")
    visits = _read("visits")
    frame = pd.DataFrame(
        {
            "customer_id": visits["household_id"].map(people),
            "kind": "visit",
            "at": _instants(visits["at"], shift),
            "page": visits["page"],
            "device": visits["device"],
        }
    )
    return facts.import_behaviour(session, SYSTEM, frame, source="invented", at=at)


def _mailings(session, people: pd.Series, shift: timedelta, at: datetime, progress: Progress) -> int:
    """The panel's real direct mail: who was sent what, who redeemed a coupon, and what they spent."""
    described, sends = _read("campaigns"), _read("sends")
    answers = _answers()
    outcomes = sends.merge(answers, on=["campaign_id", "household_id"], how="left").merge(
        described, on="campaign_id"
    )
    for number, row in enumerate(described.sort_values("start_date").itertuples()):
        progress(0.62 + 0.1 * number / len(described), f"Real mailing {number + 1} of {len(described)}")
        mine = outcomes[outcomes["campaign_id"] == row.campaign_id]
        started = _at_nine(row.start_date + shift)
        frame = pd.DataFrame(
            {
                "customer_id": mine["household_id"].map(people),
                "sent_at": pd.Timestamp(started),
                "converted_at": _instants(mine["redeemed_at"], shift),
                "revenue_minor": mine["revenue_minor"].fillna(0).astype("int64"),
            }
        )
        if started > at:
            continue
        campaign_imports.import_campaign(
            session,
            SYSTEM,
            name=f"Mailing {row.campaign_id:02d} ({row.type})",
            channel="direct_mail",
            objective="Coupons by post, redeemed at the till.",
            started_at=started,
            ended_at=_at_nine(row.end_date + shift),
            outcomes=frame,
            at=at,
        )
    return len(described)


def _answers() -> pd.DataFrame:
    """Who answered which campaign: the first redemption's time and what was spent on days of redemption.

    The panel dates redemptions by the day; the time is that of the household's first basket that day.
    A day on which coupons of two campaigns were redeemed counts for the later campaign (last touch).
    """
    redemptions, baskets, described = _read("redemptions"), _read("baskets"), _read("campaigns")
    baskets["redeemed_on"] = baskets["at"].dt.date
    days = baskets.groupby(["household_id", "redeemed_on"], as_index=False).agg(
        redeemed_at=("at", "min"), revenue_minor=("amount_minor", "sum")
    )
    answered = redemptions.merge(days, on=["household_id", "redeemed_on"]).merge(described, on="campaign_id")
    answered = answered.sort_values(["start_date", "campaign_id"])
    earlier = answered.duplicated(["household_id", "redeemed_on"], keep="last")
    answered.loc[earlier, "revenue_minor"] = 0
    return answered.groupby(["campaign_id", "household_id"], as_index=False).agg(
        redeemed_at=("redeemed_at", "min"), revenue_minor=("revenue_minor", "sum")
    )


def _at_nine(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 9, tzinfo=ZoneInfo(TIMEZONE)).astimezone(clock.UTC)


def _segments(session: Session, at: datetime, progress: Progress) -> int:
    progress(0.73, "Segments")
    described = json.loads((DATA / "demo_segments.json").read_text(encoding="utf-8"))
    ids: dict[str, int] = {}
    for segment in described:
        rule = _with_ids(segment["rule"], ids)
        ids[segment["name"]] = create_segment(session, SYSTEM, **segment | {"rule": rule}, at=at)
    return len(described)


def _with_ids(rule: dict | list, ids: dict[str, int]) -> dict | list:
    """A rule that names other segments, with their ids instead."""
    if isinstance(rule, list):
        return [_with_ids(part, ids) for part in rule]
    return {
        key: ids[value]
        if key == "in_segment"
        else _with_ids(value, ids)
        if isinstance(value, dict) or key in ("all", "any", "none")
        else value
        for key, value in rule.items()
    }


def _about_people(session: Session, people: pd.Series, shift: timedelta, at: datetime) -> None:
    """Own fields and a tag from what the panel tells; the tag VIP and the notes are invented."""
    redemptions, baskets = _read("redemptions"), _read("baskets")
    redeemed = redemptions[_days(redemptions["redeemed_on"], shift) < pd.Timestamp(at).tz_localize(None)]
    coupons = redeemed.groupby("household_id").size()
    # Whole weeks: a Saturday of the panel is a Saturday now.
    on_weekends = (baskets["at"].dt.day_of_week >= 5).groupby(baskets["household_id"]).mean()
    days = (on_weekends > 0.5).map({True: "Weekend", False: "Weekday"})
    for name, kind, choices, values in (
        ("Coupons redeemed", "number", (), coupons.astype("float64")),
        ("Shopping day", "text", ("Weekday", "Weekend"), days),
    ):
        attribute_id = attributes.define_attribute(
            session, SYSTEM, name=name, kind=kind, choices=choices, at=at
        )
        known = values[values.index.isin(people.index)]
        frame = pd.DataFrame(
            {
                "customer_id": people.loc[known.index].to_numpy(),
                "attribute_id": attribute_id,
                "value": known.astype(object).to_numpy(),
            }
        )
        attributes.write_values(session, frame, at=at)
    spend = baskets.groupby("household_id")["amount_minor"].sum().sort_values(ascending=False, kind="stable")
    best = people.loc[spend.index[:50]]
    collectors = people.loc[coupons[coupons >= 5].index]
    tagged = pd.concat(
        [best.to_frame().assign(tag="VIP"), collectors.to_frame().assign(tag="Coupon collector")]
    )
    tags.write_tags(session, SYSTEM, tagged, at=at)
    for customer_id, text in zip(best, _NOTES, strict=False):
        notes.add_note(session, SYSTEM, int(customer_id), text, at=at - timedelta(days=2))


_NOTES = (
    "Called about a missing item in the last delivery. A voucher made up for it.",
    "Prefers to be called in the afternoon. Asked when the wine tasting comes back.",
)


def _campaigns(session: Session, now: datetime, seed: int, progress: Progress) -> int:
    """The team's own campaigns, each taken through its life at the times it would have happened."""
    described = json.loads((DATA / "demo_campaigns.json").read_text(encoding="utf-8"))
    segment_ids = dict(session.execute(select(Segment.name, Segment.id)).all())
    for number, campaign in enumerate(described):
        progress(0.75 + 0.18 * number / len(described), f"Campaign: {campaign['name']}")
        _campaign(session, campaign, segment_ids, now, seed + number)
    return len(described)


def _campaign(session: Session, described: dict, segment_ids: dict, now: datetime, seed: int) -> None:
    life = ("days_ago", "state", "ends_days_ago", "paused_days_ago", "segment")
    fields = {key: value for key, value in described.items() if key not in life}
    state = described["state"]
    begins = now - timedelta(days=described.get("days_ago", 1))
    drafted = min(begins, now) - timedelta(days=3)
    campaign_id = campaigns.create_campaign(
        session, SYSTEM, **fields, segment_id=segment_ids[described["segment"]], at=drafted
    )
    if state == "scheduled":
        campaigns.schedule_campaign(session, SYSTEM, campaign_id, scheduled_at=begins, at=now)
        return
    if state == "draft":
        return
    launches.launch_campaign(session, SYSTEM, campaign_id, at=begins, seed=seed)
    stops = now - timedelta(days=described.get("paused_days_ago", 0))
    due.send_due_waves(session, at=stops)
    if state == "paused":
        campaigns.pause_campaign(session, SYSTEM, campaign_id, at=stops)
    if state == "completed":
        ended = now - timedelta(days=described["ends_days_ago"])
        campaigns.complete_campaign(session, SYSTEM, campaign_id, at=ended)
