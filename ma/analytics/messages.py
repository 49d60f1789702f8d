"""The messages one customer was sent, and what they did with them."""

from datetime import datetime

import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, case, cast, func, select
from sqlalchemy.orm import Session

from ma.analytics.customers import timed
from ma.analytics.frames import read
from ma.models import Campaign, Customer, Outcome
from ma.types import FUNNEL_STEPS, SIDE_STEPS, Arm, Channel

# What can become of a message after it was sent, the side steps last.
LATER_STEPS = (*FUNNEL_STEPS[1:], *SIDE_STEPS[Channel.EMAIL])
_WORDS = {"complained": "marked as spam"}


def customer_messages(session: Session, *, customer_id: int, as_of: datetime) -> pd.DataFrame:
    """How far the messages sent to one customer got, one row per step: step, messages, of.

    `of` is the number of messages whose campaign tells about the step; where it is 0, `messages` is NA:
    unknown, not zero.
    """
    sent = Outcome.sent_at <= as_of
    columns = []
    for step in FUNNEL_STEPS:
        observed = Campaign.steps.contains(step)  # no step's name is part of another's
        reached = getattr(Outcome, f"{step}_at") <= as_of
        columns += [
            func.count().filter(observed).label(f"{step}_of"),
            func.count().filter(observed, reached).label(step),
        ]
    row = (
        session.execute(
            select(*columns)
            .select_from(Outcome)
            .join(Campaign, Campaign.id == Outcome.campaign_id)
            .join(Customer, Customer.id == Outcome.customer_id)
            .where(
                Outcome.customer_id == customer_id,
                Outcome.arm == Arm.TREATED.value,
                sent,
                Customer.deleted_at.is_(None),
            )
        )
        .one()
        ._mapping
    )
    of = pd.array([row[f"{step}_of"] for step in FUNNEL_STEPS], dtype="Int64")
    # That nothing was sent is known; how far nothing got is not.
    known = [step == "sent" or row[f"{step}_of"] > 0 for step in FUNNEL_STEPS]
    counts = pd.array(
        [row[step] if sure else None for step, sure in zip(FUNNEL_STEPS, known, strict=True)], dtype="Int64"
    )
    return pd.DataFrame({"step": FUNNEL_STEPS, "messages": counts, "of": of})


def messages_sent(
    session: Session, *, customer_id: int, as_of: datetime, limit: int | None = None, offset: int = 0
) -> pd.DataFrame:
    """Every message one customer was sent, the latest first, and when they did what with it.

    Columns: campaign_id, campaign (its name), channel, response (in words), observed (what the campaign
    can tell, comma-separated), sent_at, a time for each later step and side step (missing: did not happen,
    or is unknown), and revenue_minor (NA where nothing is known to have been bought).
    """

    def until(step: str) -> ColumnElement:
        # Simulated steps are stored with their future times.
        at = getattr(Outcome, f"{step}_at")
        return case((at <= as_of, at)).label(f"{step}_at")

    bought = case((Outcome.converted_at <= as_of, func.nullif(Outcome.revenue_minor, 0)))
    rows = (
        select(
            Campaign.id.label("campaign_id"),
            Campaign.name.label("campaign"),
            Campaign.channel,
            Campaign.steps.label("observed"),
            Outcome.sent_at,
            *(until(step) for step in LATER_STEPS),
            cast(bought, BigInteger).label("revenue_minor"),
        )
        .select_from(Outcome)
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(*_sent(customer_id, as_of))
        .order_by(Outcome.sent_at.desc(), Campaign.id.desc())
        .limit(limit)
        .offset(offset)
    )
    times = ("sent_at", *(f"{step}_at" for step in LATER_STEPS))
    frame = timed(read(session, rows), *times)
    frame.insert(3, "response", _response(frame))
    return frame.astype(
        {"campaign_id": "int64", "campaign": "str", "channel": "str", "revenue_minor": "Int64"}
    )


def _response(frame: pd.DataFrame) -> pd.Series:
    """What became of each message, as in "Opened, clicked"; what was merely sent or delivered says so."""
    happened = frame[[f"{step}_at" for step in LATER_STEPS]].notna().to_numpy()
    told = []
    for delivered, *later in happened.tolist():
        words = [_WORDS.get(step, step) for step, did in zip(LATER_STEPS[1:], later, strict=True) if did]
        told.append(", ".join(words).capitalize() or ("Delivered" if delivered else "Sent"))
    return pd.Series(told, index=frame.index, dtype="str")


def message_count(session: Session, *, customer_id: int, as_of: datetime) -> int:
    """How many rows `messages_sent` has."""
    return session.scalar(select(func.count()).select_from(Outcome).where(*_sent(customer_id, as_of)))


def _sent(customer_id: int, as_of: datetime) -> tuple[ColumnElement, ...]:
    present = select(Customer.id).where(Customer.id == customer_id, Customer.deleted_at.is_(None))
    return (
        Outcome.customer_id == customer_id,
        Outcome.arm == Arm.TREATED.value,
        Outcome.sent_at <= as_of,
        present.exists(),
    )
