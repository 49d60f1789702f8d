"""What others see: published rates by channel, each with where it was published."""

import csv
from datetime import datetime
from functools import lru_cache

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.errors import FileProblem
from ma.models import Campaign
from ma.settings import DATA
from ma.simulation import params
from ma.types import STEPS, Channel

# Our rate -> the step whose people it counts.
RATES = {"open_rate": "opened", "click_rate": "clicked", "conversion_rate": "converted"}
# Where a figure of a step stands in the file, by channel; opening a push notification is clicking it.
_METRICS = {"opened": "open_rate", "clicked": "click_rate", "converted": "conversion_of_clicks"}
_OTHERS = {(Channel.PUSH, "opened"): "click_rate", (Channel.DIRECT_MAIL, "converted"): "response_rate"}
ASSUMPTION = "assumption"


def benchmarks(session: Session, *, as_of: datetime, campaign_ids: list[int] | None = None) -> pd.DataFrame:
    """Published rates of the channels of campaigns launched by an instant, counted as ours are.

    One row per channel and rate that the channel can see: channel, rate (open_rate, click_rate or
    conversion_rate), value (0–1), denominator (delivered, or sent where the channel cannot see delivery),
    source (publisher and year of every figure it is made of), where (address), note, assumed (whether one of
    them is our assumption, not a publication).
    Source: docs/metrics.md#benchmarks
    """
    launched = select(Campaign.channel).distinct().where(Campaign.launched_at <= as_of)
    if campaign_ids is not None:
        launched = launched.where(Campaign.id.in_(campaign_ids))
    channels = set(read(session, launched)["channel"])
    rows = [row for channel in Channel if channel in channels for row in of_channel(channel)]
    columns = ["channel", "rate", "value", "denominator", "source", "where", "note", "assumed"]
    return pd.DataFrame(rows, columns=columns)


def of_channel(channel: Channel) -> list[dict]:
    """The rates of one channel, as `benchmarks` describes them."""
    believed, steps = _params()[channel].steps, STEPS[channel]
    denominator = "delivered" if "delivered" in steps else "sent"
    found = []
    for rate, step in RATES.items():
        if step not in steps or step not in believed:
            continue
        # Down the chain: each step's rate is per person who reached the one before it.
        value, at, parts = 1.0, step, []
        while at != denominator:
            value *= believed[at].rate
            parts.insert(0, _row(channel, at))
            at = believed[at].after
        if channel is Channel.DIRECT_MAIL:
            # Answers are published per letter that arrived; we see those sent.
            parts.insert(0, _file()[channel.value, "bounce_rate"])
        # The file's click rate is per message already, not made of its open rate.
        parts = [row for row in parts if row["metric"] != "open_rate" or step == "opened"]
        found.append(
            {
                "channel": channel.value,
                "rate": rate,
                "value": value,
                "denominator": denominator,
                "source": " × ".join(dict.fromkeys(_source(row) for row in parts)),
                "where": " ; ".join(dict.fromkeys(row["source"] for row in parts if row["source"])),
                "note": " ".join(dict.fromkeys(row["note"] for row in parts if row["note"])),
                "assumed": any(row["publisher"] == ASSUMPTION for row in parts),
            }
        )
    return found


def _source(row: dict) -> str:
    if row["publisher"] == ASSUMPTION:
        return "our assumption"
    return f"{row['publisher']} {row['as_of']}".strip()


def _row(channel: Channel, step: str) -> dict:
    metric = _OTHERS.get((channel, step), _METRICS[step])
    return _file()[channel.value, metric]


@lru_cache
def _params() -> dict[Channel, params.ChannelParams]:
    return params.load(DATA / "benchmarks.csv")


@lru_cache
def _file() -> dict[tuple[str, str], dict]:
    try:
        with (DATA / "benchmarks.csv").open(newline="", encoding="utf-8") as file:
            return {(row["channel"], row["metric"]): row for row in csv.DictReader(file)}
    except OSError as error:
        raise FileProblem(
            "The file of channel benchmarks cannot be read. Restore data/benchmarks.csv."
        ) from error
