"""From next best actions to work: a segment of the people of one action, and a draft for them."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics import next_actions as reading
from ma.errors import Conflict
from ma.models import Segment
from ma.services.campaigns import create_campaign
from ma.services.segments import create_segment, refresh_segment
from ma.text import fold
from ma.types import Actor, Channel

# So that what the campaign really causes can be told from what was expected.
HOLDOUT = 0.1
_LONGEST_NAME = 100


def rule(channel: Channel, offer: str | None) -> dict:
    """The rule that chooses whose next best action this is; None: whatever the offer."""
    leaves = [{"field": "next_channel", "operator": "eq", "value": channel.value}]
    if offer is not None:
        leaves.append({"field": "next_offer", "operator": "eq", "value": offer})
    return {"all": leaves}


def title(channel: Channel, offer: str | None) -> str:
    """What a segment of these people is called."""
    name = f"Next best: {channel.label}" + (f", {offer}" if offer else "")
    return name[:_LONGEST_NAME].rstrip()


def make_segment(session: Session, actor: Actor, channel: Channel, offer: str | None, *, at: datetime) -> int:
    """The segment of the people whose next best action this is, refreshed; returns its id.

    One that was made before is taken again; where its name stands for something else by now, the new one gets
    a number.
    """
    name, number = title(channel, offer), 1
    wanted = rule(channel, offer)
    while (found := _named(session, name)) is not None:
        if found.rule == wanted:
            refresh_segment(session, actor, found.id, at=at)
            return found.id
        number += 1
        suffix = f" ({number})"
        name = title(channel, offer)[: _LONGEST_NAME - len(suffix)] + suffix
    about = "Whose best next message this is, by the last scoring of all customers."
    segment_id = create_segment(session, actor, name=name, description=about, rule=wanted, at=at)
    refresh_segment(session, actor, segment_id, at=at)
    return segment_id


def make_draft(
    session: Session,
    actor: Actor,
    channel: Channel,
    offer: str | None,
    *,
    name: str,
    subject: str,
    body: str,
    at: datetime,
) -> int:
    """A draft to the people whose next best action this is; returns the campaign's id.

    Its cost and conversion window are those that the expectation stands on; a tenth is held out. Raises
    InvalidInput with every problem at once, and Conflict where the channel has no price any more.
    """
    price = reading.prices(session, as_of=at).get(channel)
    if price is None:
        raise Conflict(
            f"What a message by {channel.label} costs is unknown. Launch a campaign with a cost in it, or "
            "plan this one on the page Campaigns."
        )
    offered = f" Offer: {offer}." if offer else ""
    return create_campaign(
        session,
        actor,
        at=at,
        name=name,
        objective=f"Next best action by {channel.label}.{offered}",
        channel=channel,
        segment_id=make_segment(session, actor, channel, offer, at=at),
        subject=subject,
        body=body,
        cost_per_thousand_minor=price.cost_per_thousand_minor,
        fixed_cost_minor=0,
        conversion_window_days=price.conversion_window_days,
        holdout_share=HOLDOUT,
    )


def _named(session: Session, name: str):
    return session.execute(
        select(Segment.id, Segment.rule).where(Segment.name_folded == fold(name))
    ).one_or_none()
