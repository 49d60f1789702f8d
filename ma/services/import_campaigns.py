"""The campaigns that a file of real results names: found by name, or to be added."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ma.analytics.workspace import workspace
from ma.clock import day_start, local_day
from ma.db import staging
from ma.errors import Conflict, InvalidInput
from ma.events import outbox
from ma.events.messages import CampaignImported
from ma.models import Campaign, CampaignAggregate
from ma.services import campaign_fields as fields
from ma.services import import_plans, import_writing
from ma.services import import_values as values
from ma.services.audit import audit
from ma.services.import_plans import DRY_RUN_AGAIN, TEXT, Rows
from ma.text import fold, words
from ma.types import Actor, CampaignStatus, Channel, Source

CAMPAIGN, AGGREGATE = Campaign.__table__, CampaignAggregate.__table__
NOUN = "campaign"
# Whoever names more of them has chosen another column.
MOST_CAMPAIGNS = 2_000
# Real mailings work longer than what is planned here: coupons by post are valid for months.
LONGEST_WINDOW_DAYS = 366
CHANGED_SINCE = f"Campaigns of this file were added or changed since the dry run. {DRY_RUN_AGAIN}"

_WORDS = {
    Channel.EMAIL: "email emails mail newsletter",
    Channel.SMS: "sms text",
    Channel.PUSH: "push mobilepush pushnotification notification",
    Channel.DIRECT_MAIL: "directmail post letter postal brief",
    Channel.ADS: "ads ad advertising",
}
_CHANNEL_OF = {word: channel.value for channel, known in _WORDS.items() for word in known.split()}
_SIMULATED = (
    "A campaign of this name was planned here, and its results are simulated. "
    "Give the real one another name in the file."
)
_TOTALS = (
    "This campaign is known by its totals alone, as its platform counted them. "
    "Undo that import first, or give this one another name."
)
_UNIX = r"[0-9]{9,10}|[0-9]{12,13}"


@dataclass(frozen=True)
class Options(import_plans.Options):
    """How a file is to be read and what it may do; and what is said once for a whole file of results.

    `campaign` and `channel` count where no column says them. `window_days`: so long after its message a
    conversion is a new campaign's.
    """

    campaign: str | None = None
    channel: str | None = None
    window_days: int = fields.DEFAULTS["conversion_window_days"]


def find(session: Session, rows: Rows) -> tuple[np.ndarray, pd.DataFrame]:
    """(which campaign each row names, -1 where it names none; the campaigns).

    Those have name, name_folded, channel, and where they are here already campaign_id, steps,
    conversion_window_days and launched_at. Rows of others than real ones known by person are refused.
    """
    names = _names(rows)
    rows.reject(names.isna(), "campaign", "It is not said which campaign. Fill it in.")
    codes, distinct = pd.factorize(names)
    folded, found = pd.factorize(np.array([fold(name) for name in distinct], dtype=object))
    if len(found) > MOST_CAMPAIGNS:
        told = f"The file names {len(found):,} campaigns, and at most {MOST_CAMPAIGNS:,} come in at once."
        raise InvalidInput({"campaign": f"{told} Choose the column that names the campaign."})
    of_row = np.append(folded, -1)[codes].astype("int64")
    first = pd.Series(distinct).groupby(folded).first() if len(found) else pd.Series(dtype=object)
    frame = pd.DataFrame({"name": first.to_numpy(), "name_folded": found}).astype(TEXT)
    frame = frame.merge(_known(session, frame["name_folded"]), on="name_folded", how="left")
    simulated = (frame["source"] == Source.SIMULATED).fillna(False).to_numpy(dtype=bool)
    rows.reject(_of(simulated, of_row), "campaign", _SIMULATED)
    rows.reject(_of(frame.pop("total").notna().to_numpy(), of_row), "campaign", _TOTALS)
    frame["channel"] = _channel_of(rows, of_row, frame.pop("stored_channel"))
    return of_row, frame.drop(columns="source")


def channels(rows: Rows) -> pd.Series:
    """The channel that each row says, else that of the whole file; missing where neither does."""
    chosen = None
    if rows.options.channel:
        chosen, problem = _channel(rows.options.channel)
        if problem:
            raise InvalidInput({"channel": problem})
    if "channel" not in rows:
        return pd.Series(chosen or np.nan, index=range(len(rows)), dtype=TEXT)
    said = values.texts(rows, "channel", _channel)
    return said.fillna(chosen) if chosen else said


def instants(rows: Rows, name: str, *, timezone: str, at: datetime) -> pd.Series:
    """Instants in UTC up to `at`; a column of nothing but seconds or milliseconds since 1970 is read too."""
    column = rows.texts(name)
    filled = column.dropna()
    if filled.empty:
        return pd.Series(pd.NaT, index=range(len(rows)), dtype="datetime64[us, UTC]")
    if not filled.str.fullmatch(_UNIX).all():
        return values.moments(rows, name, timezone=timezone, latest=pd.Timestamp(at))
    numbers = pd.to_numeric(column).astype("Int64")
    numbers = numbers.where(numbers >= 10**11, numbers * 1_000)
    moments = pd.to_datetime(numbers, unit="ms", utc=True).dt.as_unit("us")
    rows.reject(moments > pd.Timestamp(at), name, values.ALLOWED_LATER)
    return moments


def add(session: Session, actor: Actor, campaigns: pd.DataFrame, *, at: datetime) -> np.ndarray:
    """Insert real campaigns; returns their ids.

    `campaigns`: name, name_folded, channel, steps, conversion_window_days, launched_at, last_sent_at, sent
    (people) and as far as they are known subject and holdout_share. They are completed, or running while
    their windows last. Raises Conflict where somebody has used a name since.
    """
    if campaigns.empty:
        return np.empty(0, dtype="int64")
    zone = workspace(session).timezone
    over = pd.Series(
        [
            day_start(local_day(last, zone) + timedelta(days=1), zone) + timedelta(days=int(window))
            for last, window in zip(
                campaigns["last_sent_at"], campaigns["conversion_window_days"], strict=True
            )
        ],
        index=campaigns.index,
    ).astype("datetime64[us, UTC]")
    done = over <= pd.Timestamp(at)
    usual = {name: value for name, value in fields.DEFAULTS.items() if name != "excluded"}
    usual |= {"effects": "{}", "variants": "[]", "created_by": actor.username, "version": 1, "waves_sent": 1}
    usual |= {"source": Source.IMPORTED.value, "created_at": pd.Timestamp(at), "updated_at": pd.Timestamp(at)}
    given = campaigns.drop(columns=["last_sent_at", "sent"])
    frame = given.assign(
        **{name: value for name, value in usual.items() if name not in given and value is not None},
        status=np.where(done, CampaignStatus.COMPLETED.value, CampaignStatus.RUNNING.value),
        completed_at=over.where(done),
    )
    import_writing.insert(session, CAMPAIGN, frame)
    known = staging.rows_with(
        session,
        select(CAMPAIGN.c.id, CAMPAIGN.c.name_folded),
        CAMPAIGN.c.name_folded,
        campaigns["name_folded"],
    )
    ids = known.set_index("name_folded")["id"].loc[campaigns["name_folded"]].to_numpy(dtype="int64")
    for campaign_id, channel, sent in zip(ids.tolist(), campaigns["channel"], campaigns["sent"], strict=True):
        audit(session, actor, "import", "campaign", campaign_id, at=at, sent=int(sent))
        event = CampaignImported(campaign_id=campaign_id, channel=channel, sent=int(sent))
        outbox.record(session, event, at=at)
    return ids


def check_absent(session: Session, names: pd.Series) -> None:
    """Raises Conflict if a campaign has one of these folded names by now."""
    if len(names) and not _known(session, names).empty:
        raise Conflict(CHANGED_SINCE)


def check_unchanged(session: Session, campaigns: pd.DataFrame) -> None:
    """Raises Conflict unless the campaigns found are still what they were."""
    columns = ["campaign_id", "steps", "conversion_window_days", "launched_at"]
    seen = campaigns[columns].sort_values("campaign_id", ignore_index=True)
    now = _known(session, campaigns["name_folded"])[columns].sort_values("campaign_id", ignore_index=True)
    if not now.astype(seen.dtypes).equals(seen):
        raise Conflict(CHANGED_SINCE)


def _names(rows: Rows) -> pd.Series:
    longest = fields.LONGEST_NAME
    chosen = None
    if rows.options.campaign:
        chosen, problem = values.short("campaign's name", longest)(rows.options.campaign)
        if problem:
            raise InvalidInput({"campaign": problem})
    if "campaign" not in rows:
        if not chosen:
            told = "Choose the column that names the campaign, or one campaign for the whole file."
            raise InvalidInput({"campaign": told})
        return pd.Series(chosen, index=range(len(rows)), dtype=TEXT)
    names = values.short_texts(rows, "campaign", "campaign's name", longest)
    return names.fillna(chosen) if chosen else names


def _channel(text: str) -> tuple[str | None, str | None]:
    channel = _CHANNEL_OF.get("".join(words(text)))
    known = ", ".join(channel.label for channel in Channel)
    return channel, None if channel else f"This is no channel. Use one of {known}."


def _known(session: Session, names: pd.Series) -> pd.DataFrame:
    query = select(
        CAMPAIGN.c.id.label("campaign_id"),
        CAMPAIGN.c.name_folded,
        CAMPAIGN.c.channel.label("stored_channel"),
        CAMPAIGN.c.source,
        CAMPAIGN.c.steps,
        CAMPAIGN.c.conversion_window_days,
        # A draft has none, and is refused for what it is.
        func.coalesce(CAMPAIGN.c.launched_at, CAMPAIGN.c.created_at).label("launched_at"),
        AGGREGATE.c.campaign_id.label("total"),
    ).outerjoin(AGGREGATE, AGGREGATE.c.campaign_id == CAMPAIGN.c.id)
    return staging.rows_with(session, query, CAMPAIGN.c.name_folded, names)


def _channel_of(rows: Rows, of_row: np.ndarray, stored: pd.Series) -> pd.Series:
    """The channel of each campaign: its own, else the first that a row says; refuses rows with another."""
    said = channels(rows)
    first = said.where(of_row >= 0).groupby(of_row).first().reindex(range(len(stored)))
    channel = stored.astype(TEXT).fillna(first).astype(TEXT)
    if "channel" not in rows and channel.isna().any():
        told = "Choose the column that says the channel, or one channel for the whole file."
        raise InvalidInput({"channel": told})
    mine = pd.Series(np.append(channel.to_numpy(dtype=object), np.nan)[of_row], dtype=TEXT)
    told = "The campaign has another channel. Correct it, or give each channel a campaign of its own."
    asked = (of_row >= 0) & ~rows.wrong
    rows.reject(said.notna() & asked & (said != mine), "channel", told)
    rows.reject(mine.isna() & asked, "channel", "There is no channel. Fill it in.")
    return channel


def _of(campaigns: np.ndarray, of_row: np.ndarray) -> np.ndarray:
    return np.append(campaigns, False)[of_row]
