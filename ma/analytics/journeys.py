"""Journeys: the messages that people had before they converted, and those after which nobody did."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, Subquery, cast, exists, func, select
from sqlalchemy.orm import Session

from ma import clock
from ma.analytics import touches
from ma.analytics.frames import read
from ma.analytics.touches import CHANNELS, USUAL_DAYS, USUAL_WINDOW, Question
from ma.analytics.workspace import workspace
from ma.db.powers import with_powers
from ma.models import Campaign, Outcome, Purchase
from ma.types import Arm, Source

NO_MESSAGE = "No message before it"


@dataclass(frozen=True)
class Journeys:
    """What attribution needs of a period: different paths with their counts, nobody by name.

    A path is text: the keys of its touches in their order, joined by commas, repeats kept.

    keys: one row per channel or campaign that was a touch: key, name, channel, campaign_id (missing for
    channels). converted: path, days (whole days from the first touch to the conversion), conversions,
    revenue_minor; conversions without a touch are not in it. unconverted: path, journeys. decayed: key,
    conversions, revenue_minor, as time decay divides them. The totals are of all conversions.
    """

    question: Question
    conversions: int
    revenue_minor: int
    keys: pd.DataFrame
    converted: pd.DataFrame
    unconverted: pd.DataFrame
    decayed: pd.DataFrame

    @property
    def touched(self) -> int:
        """The conversions with a message before them: those that models share out."""
        return int(self.converted["conversions"].sum())

    @property
    def touched_revenue_minor(self) -> int:
        """Their revenue."""
        return int(self.converted["revenue_minor"].sum())


def journeys(
    session: Session,
    *,
    as_of: datetime,
    start: date | None = None,
    end: date | None = None,
    campaign_ids: list[int] | None = None,
    level: str = "channel",
    conversion: str = "purchases",
    touch: str = "response",
    window_days: int = USUAL_WINDOW,
) -> pd.DataFrame:
    """The different journeys of a period (the last 90 days unless given), those with most conversions first.

    One row per path: path (in words), touches, conversions, revenue_minor, share (of the conversions with a
    message before them), median_days (whole days from the first touch to the conversion), unconverted
    (journeys of the same path after which nobody converted). The row "No message before it" has the
    conversions that no model shares out. See touches.Question for what is counted.

    Raises InvalidPeriod, InvalidInput. Source: docs/metrics.md#attribution
    """
    asked = question(
        session,
        as_of=as_of,
        start=start,
        end=end,
        campaign_ids=campaign_ids,
        level=level,
        conversion=conversion,
        touch=touch,
        window_days=window_days,
    )
    return of_journeys(read_journeys(session, asked, as_of=as_of))


def question(
    session: Session,
    *,
    as_of: datetime,
    start: date | None = None,
    end: date | None = None,
    campaign_ids: list[int] | None = None,
    **asked: object,
) -> Question:
    """A question with the usual period where none is given: the last 90 days, today included."""
    end = end or clock.local_day(as_of, workspace(session).timezone) + timedelta(days=1)
    return Question(
        start=start or end - timedelta(days=USUAL_DAYS),
        end=end,
        campaign_ids=None if campaign_ids is None else tuple(campaign_ids),
        **asked,
    )


def of_journeys(found: Journeys) -> pd.DataFrame:
    """The frame of `journeys` from what was read."""
    won = found.converted.groupby("path")[["conversions", "revenue_minor"]].sum()
    lost = found.unconverted.set_index("path")["journeys"].rename("unconverted")
    frame = won.join(lost, how="outer").fillna(0).astype("int64")
    frame["median_days"] = _median_days(found.converted)
    frame["share"] = frame["conversions"] / max(found.touched, 1)
    frame["touches"] = frame.index.str.count(",") + 1 if len(frame) else 0
    frame = frame.rename_axis("path").reset_index()
    frame = frame.sort_values(
        ["conversions", "unconverted", "touches", "path"],
        ascending=[False, False, True, True],
        ignore_index=True,
    )
    frame["path"] = _in_words(frame["path"], found.keys)
    nothing = {
        "path": NO_MESSAGE,
        "touches": 0,
        "conversions": found.conversions - found.touched,
        "revenue_minor": found.revenue_minor - found.touched_revenue_minor,
        "share": np.nan,
        "median_days": np.nan,
        "unconverted": 0,
    }
    columns = list(nothing)
    if not found.conversions > found.touched:
        return frame[columns]
    return pd.concat([frame[columns], pd.DataFrame([nothing])], ignore_index=True)


def read_journeys(session: Session, asked: Question, *, as_of: datetime) -> Journeys:
    """The journeys of a question, of what had happened by an instant, in three grouped statements."""
    with_powers(session)
    zone = workspace(session).timezone
    low = clock.day_start(asked.start, zone)
    high = min(clock.day_start(asked.end, zone), as_of + clock.MICROSECOND)
    converting = touches.conversions(asked, low=low, high=high)
    conversions, revenue = session.execute(
        select(func.count(), cast(func.coalesce(func.sum(converting.c.revenue_minor), 0), BigInteger))
    ).one()
    messages = _messages(session, asked, low=low, as_of=as_of, zone=zone)
    parts = read(session, touches.converted(asked, converting, messages))
    parts = parts.astype(
        {"days": "int64", "key": "int64", "conversions": "int64", "revenue_minor": "int64"}
    ).astype({"decayed": float, "decayed_minor": float})
    unconverted = read(session, touches.unconverted(asked, messages, low=low, high=high, as_of=as_of))
    converted = parts.groupby(["path", "days"], as_index=False)[["conversions", "revenue_minor"]].sum()
    decayed = parts.groupby("key", as_index=False)[["decayed", "decayed_minor"]].sum()
    return Journeys(
        question=asked,
        conversions=int(conversions),
        revenue_minor=int(revenue),
        keys=_keys(session, asked, converted["path"], unconverted["path"]),
        converted=converted,
        unconverted=unconverted.astype({"journeys": "int64"}),
        decayed=decayed.rename(columns={"decayed": "conversions", "decayed_minor": "revenue_minor"}),
    )


def _messages(session: Session, asked: Question, *, low: datetime, as_of: datetime, zone: str) -> Subquery:
    """Everything that can be a touch of a conversion from `low` on."""
    day = timedelta(days=1)
    # A day to spare: the stored days are those of the time zone that the workspace had then.
    first = clock.local_day(low - asked.window_days * day, zone) - day
    found = session.execute(touches.sendings(asked, since=first)).all()
    begun = min((row.day for row in found), default=first)
    since = clock.day_start(begun - day, zone)
    return touches.messages(asked, campaign_ids=[row.campaign_id for row in found], since=since, as_of=as_of)


def kinds_of_conversion(session: Session) -> list[str]:
    """The keys of CONVERSIONS of which this workspace has any."""
    there = {
        "purchases": exists().where(Purchase.kind == "sale"),
        "campaigns": exists().where(Outcome.converted_at.is_not(None), Outcome.arm == Arm.TREATED),
    }
    return [name for name, some in there.items() if session.scalar(select(some))]


def any_message(session: Session, *, as_of: datetime) -> bool:
    """Whether anybody was sent a message by an instant."""
    return bool(session.scalar(select(exists().where(Outcome.sent_at <= as_of, Outcome.arm == Arm.TREATED))))


def any_simulated(session: Session, *, as_of: datetime) -> bool:
    """Whether a simulated campaign was launched by an instant: what it brings is no purchase."""
    simulated = exists().where(Campaign.source == Source.SIMULATED, Campaign.launched_at <= as_of)
    return bool(session.scalar(select(simulated)))


def _keys(session: Session, asked: Question, *paths: pd.Series) -> pd.DataFrame:
    """The rows of Journeys.keys, in the order of the channels, or of the campaigns' ids."""
    there = sorted({int(key) for part in paths for path in part for key in path.split(",")})
    if asked.level == "channel":
        chosen = [CHANNELS[key] for key in there]
        frame = pd.DataFrame(
            {
                "key": there,
                "name": [channel.label for channel in chosen],
                "channel": [channel.value for channel in chosen],
            }
        )
        return frame.astype({"key": "int64"}).assign(campaign_id=pd.array([None] * len(frame), "Int64"))
    rows = session.execute(select(Campaign.id, Campaign.name, Campaign.channel)).all()
    frame = pd.DataFrame(rows, columns=["key", "name", "channel"]).set_index("key").reindex(there)
    frame = frame.rename_axis("key").reset_index().astype({"key": "int64"})
    return frame.assign(campaign_id=frame["key"].astype("Int64"))


def _in_words(paths: pd.Series, keys: pd.DataFrame) -> list[str]:
    """Paths as "Direct mail ×3 → E-mail": the same message after another is counted, not repeated."""
    names = dict(zip(keys["key"].astype(str), keys["name"], strict=True))
    said = []
    for path in paths:
        runs: list[list] = []
        for key in path.split(","):
            if runs and runs[-1][0] == key:
                runs[-1][1] += 1
            else:
                runs.append([key, 1])
        said.append(" → ".join(f"{names[key]} ×{n}" if n > 1 else names[key] for key, n in runs))
    return said


def _median_days(converted: pd.DataFrame) -> pd.Series:
    """The median of `days` over the conversions of each path."""
    rows = converted.sort_values(["path", "days"])
    by_path = rows.groupby("path")["conversions"]
    upto, every = by_path.cumsum(), by_path.transform("sum")
    middle = [rows[upto >= nth].groupby("path")["days"].first() for nth in ((every + 1) // 2, every // 2 + 1)]
    return (middle[0] + middle[1]) / 2
