"""Conditions on campaigns and on named random splits."""

from hashlib import sha256

from sqlalchemy import BigInteger, ColumnElement, cast, exists, select

from ma.db.planning import same_condition, unindexed
from ma.models import Campaign, Customer, Outcome
from ma.rules.nodes import CampaignRule, Did, RandomRule
from ma.rules.sql_context import Context, among
from ma.text import fold
from ma.types import Arm

HAPPENED_AT = {
    Did.WAS_SENT: Outcome.sent_at,
    Did.DELIVERED: Outcome.delivered_at,
    Did.OPENED: Outcome.opened_at,
    Did.CLICKED: Outcome.clicked_at,
    Did.CONVERTED: Outcome.converted_at,
    Did.UNSUBSCRIBED: Outcome.unsubscribed_at,
}


def campaign_condition(rule: CampaignRule, context: Context) -> ColumnElement:
    """Whether something happened at least once, in one campaign, in a channel's, or in any."""
    happened = context.happened(HAPPENED_AT[rule.did], rule.within)
    if rule.did is Did.CONVERTED:
        # Who was held out may buy too, but there was no message to answer.
        happened.append(Outcome.arm == Arm.TREATED.value)
    if rule.campaign is not None:
        happened.append(Outcome.campaign_id == rule.campaign)
    elif rule.channel is not None:
        happened.append(Outcome.campaign_id.in_(select(Campaign.id).where(Campaign.channel == rule.channel)))
    # By an index over customers SQLite would fetch the rows in their order, one by one: 3 times as long.
    owner = Outcome.customer_id if rule.did is Did.WAS_SENT else unindexed(Outcome.customer_id)
    return same_condition(
        listed=among(select(Outcome.customer_id).where(*happened).group_by(owner)),
        looked_up=exists().where(Outcome.customer_id == Customer.id, *happened).correlate(Customer),
    )


# A prime a little above the 10,000 buckets, of which 3 does not divide the predecessor: cubes modulo it are
# then a permutation. Without a cube the buckets of one split would stand in those of another in a line.
PRIME = 10_007
_BUCKETS_PER_PERCENT = 100


def random_condition(rule: RandomRule) -> ColumnElement:
    """Whether a customer's place in a split lies in a part of it, in integers that every engine has.

    The place is a * (bucket + c)^3 modulo a prime, with a and c from the split's name: at most 8e16, and
    0..10006 of which a part takes its share to within a tenth of a percent.
    """
    factor, shift = of_split(rule.split)
    shifted = cast(Customer.split_bucket, BigInteger) + shift
    place = (shifted * shifted * shifted * factor) % PRIME
    return place.between(_first_place(rule.start), _first_place(rule.end) - 1)


def of_split(name: str) -> tuple[int, int]:
    """The factor and the shift (a and c above) of a named split."""
    digest = sha256(fold(name).encode()).digest()
    return 1 + int.from_bytes(digest[:8]) % (PRIME - 1), int.from_bytes(digest[8:16]) % PRIME


def _first_place(percent: float) -> int:
    """The first place of the part that begins at a percentage; parts that meet share none and leave none."""
    return -(-round(percent * _BUCKETS_PER_PERCENT) * PRIME // 10_000)
