"""Touches: which conversions and messages a question is about, and the statements that make paths of them."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Float,
    Select,
    String,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.orm import aliased

from ma import clock
from ma.db.days import MICROS_PER_DAY
from ma.db.elapsed import later
from ma.db.instants import microseconds
from ma.db.planning import unindexed
from ma.errors import InvalidInput, InvalidPeriod
from ma.models import Campaign, CampaignResult, Outcome, Purchase
from ma.types import Arm, Channel

# What may be asked: value in addresses and exports -> words on screens.
LEVELS = {"channel": "Channels", "campaign": "Campaigns"}
CONVERSIONS = {"purchases": "Purchases", "campaigns": "Conversions that campaigns recorded"}
TOUCHES = {"response": "A click or open", "delivery": "Any message delivered"}
USUAL_DAYS, USUAL_WINDOW, USUAL_HALF_LIFE = 90, 30, 7
# The longest window and half-life: weights stay far above the smallest number a database knows.
LONGEST = 365

CHANNELS = list(Channel)


@dataclass(frozen=True)
class Question:
    """Which conversions and which messages before them: those of days in [start, end) of the workspace.

    A conversion is an order (`purchases`; refunds are none) or what a campaign recorded of people it was sent
    to (`campaigns`). A touch is a message that was opened or clicked (`response`; where a channel sees no
    opens, one that arrived) or any that arrived (`delivery`), at most `window_days` before the conversion.
    With `campaign_ids` only their messages are touches, and only what they recorded are conversions.
    """

    start: date
    end: date
    level: str = "channel"
    conversion: str = "purchases"
    touch: str = "response"
    window_days: int = USUAL_WINDOW
    half_life_days: int = USUAL_HALF_LIFE
    campaign_ids: tuple[int, ...] | None = None

    def __post_init__(self):
        if self.start >= self.end:
            raise InvalidPeriod(
                f"The period must start before it ends: {self.start} is not before {self.end}."
            )
        problems = {
            name: f"'{value}' is none of: {', '.join(known)}."
            for name, value, known in (
                ("level", self.level, LEVELS),
                ("conversion", self.conversion, CONVERSIONS),
                ("touch", self.touch, TOUCHES),
            )
            if value not in known
        } | {
            name: f"Choose 1 to {LONGEST} days."
            for name, value in (("window_days", self.window_days), ("half_life_days", self.half_life_days))
            if not 1 <= value <= LONGEST
        }
        if problems:
            raise InvalidInput(problems)


def conversions(asked: Question, *, low: datetime, high: datetime) -> CTE:
    """The conversions in [low, high): customer_id, conversion (a number of their own), at, revenue_minor."""
    source, at, those = _source(asked)
    number = source.id if asked.conversion == "purchases" else source.campaign_id
    amount = source.amount_minor if asked.conversion == "purchases" else source.revenue_minor
    return (
        select(
            source.customer_id,
            number.label("conversion"),
            at.label("at"),
            amount.label("revenue_minor"),
        )
        .where(those, at >= low, at < high)
        .cte("converting")
    )


def _source(asked: Question):
    """The table that has the conversions, the column with their time, and which rows are some."""
    if asked.conversion == "purchases":
        bought = aliased(Purchase)
        return bought, bought.at, bought.kind == "sale"
    recorded = aliased(Outcome)
    # Who was held out got no message of this campaign: theirs are there to compare with.
    those = and_(recorded.arm == Arm.TREATED, recorded.converted_at.is_not(None))
    if asked.campaign_ids is not None:
        those = and_(those, recorded.campaign_id.in_(asked.campaign_ids))
    return recorded, recorded.converted_at, those


def sendings(asked: Question, *, since: date) -> Select:
    """Which campaigns had anything sent, delivered, opened or clicked from a day on, and when each began.

    One row per campaign: campaign_id, day (its first one with anything sent). From the stored days: that
    spares looking through everything that was ever sent.
    """
    happened = [getattr(CampaignResult, step) > 0 for step in ("sent", "delivered", "opened", "clicked")]
    treated = CampaignResult.arm == Arm.TREATED
    lately = select(CampaignResult.campaign_id).where(treated, CampaignResult.day >= since, or_(*happened))
    query = select(CampaignResult.campaign_id, func.min(CampaignResult.day).label("day")).where(
        treated, CampaignResult.sent > 0, CampaignResult.campaign_id.in_(lately)
    )
    if asked.campaign_ids is not None:
        query = query.where(CampaignResult.campaign_id.in_(asked.campaign_ids))
    return query.group_by(CampaignResult.campaign_id)


def messages(asked: Question, *, campaign_ids: list[int], since: datetime, as_of: datetime) -> Subquery:
    """What these campaigns sent in [since, as_of]: customer_id, campaign_id, key, sent_at, and the times.

    Those that can make it a touch: clicked_at, opened_at and, where arriving is enough, reached_at.
    """
    sees_opens = Campaign.steps.contains("opened")
    # An ad was handed to a platform; that does not say who saw it.
    sees_clicks = and_(Campaign.channel == Channel.ADS, Campaign.steps.contains("clicked"))
    arrived = case(
        (Campaign.steps.contains("delivered"), Outcome.delivered_at),
        (Outcome.bounced_at.is_(None), Outcome.sent_at),
    )
    if asked.touch == "response":
        arrived = case((not_(or_(sees_opens, sees_clicks)), arrived))
    by_channel = case(*[(Campaign.channel == channel, place) for place, channel in enumerate(CHANNELS)])
    return (
        select(
            Outcome.customer_id,
            Outcome.campaign_id,
            (Outcome.campaign_id if asked.level == "campaign" else by_channel).label("key"),
            Outcome.sent_at,
            Outcome.clicked_at,
            Outcome.opened_at,
            arrived.label("reached_at"),
        )
        .join(Campaign, Campaign.id == Outcome.campaign_id)
        .where(
            # Looked up by person and time; by campaign would be one look-up for each of them.
            unindexed(Outcome.campaign_id).in_(campaign_ids),
            Outcome.arm == Arm.TREATED,
            Outcome.sent_at >= since,
            Outcome.sent_at <= as_of,
        )
        .subquery("message")
    )


def _touched_at(message, moment: ColumnElement | datetime) -> ColumnElement:
    """When a message was a touch, as known at a moment: clicked, else opened, else arrived."""
    return case(
        *[(at <= moment, at) for at in (message.c.clicked_at, message.c.opened_at, message.c.reached_at)]
    )


def converted(asked: Question, converting: CTE, messages: Subquery) -> Select:
    """One row per path, days and key: conversions and revenue (at its first key), and the decayed credit."""
    before = (
        select(
            converting,
            messages.c.campaign_id,
            messages.c.key,
            _touched_at(messages, converting.c.at).label("touched_at"),
        )
        .join(
            messages,
            and_(
                messages.c.customer_id == converting.c.customer_id,
                messages.c.sent_at <= converting.c.at,
            ),
        )
        .subquery("before_it")
    )
    age = microseconds(before.c.at) - microseconds(before.c.touched_at)
    touch = (
        select(
            before,
            age.label("age"),
            func.power(0.5, age / float(asked.half_life_days * MICROS_PER_DAY), type_=Float).label("weight"),
        )
        .where(before.c.touched_at >= later(before.c.at, -asked.window_days))
        .subquery("touch")
    )
    whole = {
        "partition_by": [touch.c.customer_id, touch.c.conversion],
        "order_by": [touch.c.touched_at, touch.c.campaign_id],
        "rows": (None, None),
    }
    step = select(
        _joined(touch.c.key).over(**whole).label("path"),
        (func.max(touch.c.age).over(**whole) // literal(MICROS_PER_DAY, BigInteger)).label("days"),
        touch.c.key,
        touch.c.revenue_minor,
        (touch.c.weight / func.sum(touch.c.weight).over(**whole)).label("decayed"),
        _place(whole).label("place"),
    ).subquery("step")
    first = step.c.place == 1
    return select(
        step.c.path,
        step.c.days,
        step.c.key,
        func.sum(case((first, 1), else_=0)).label("conversions"),
        func.sum(case((first, step.c.revenue_minor), else_=0)).label("revenue_minor"),
        func.sum(step.c.decayed).label("decayed"),
        func.sum(step.c.decayed * step.c.revenue_minor).label("decayed_minor"),
    ).group_by(step.c.path, step.c.days, step.c.key)


def unconverted(
    asked: Question, messages: Subquery, *, low: datetime, high: datetime, as_of: datetime
) -> Select:
    """The paths of messages in [low, high) that no conversion up to `as_of` has among its touches.

    After more than the window without a message, a person's next one begins another journey.
    """
    seen = select(messages, _touched_at(messages, high - clock.MICROSECOND).label("touched_at"))
    seen = seen.subquery("seen")
    line = {"partition_by": seen.c.customer_id, "order_by": [seen.c.touched_at, seen.c.campaign_id]}
    goes_on = func.lag(seen.c.touched_at).over(**line) >= later(seen.c.touched_at, -asked.window_days)
    touch = (
        select(
            seen.c.customer_id,
            seen.c.campaign_id,
            seen.c.key,
            seen.c.touched_at,
            case((goes_on, 0), else_=1).label("begins"),
        )
        .where(seen.c.touched_at >= low, not_(_used(asked, seen, as_of)))
        .subquery("touch")
    )
    upto = {
        "partition_by": touch.c.customer_id,
        "order_by": [touch.c.touched_at, touch.c.campaign_id],
        "rows": (None, 0),
    }
    numbered = select(touch, func.sum(touch.c.begins).over(**upto).label("journey")).subquery("numbered")
    whole = {
        "partition_by": [numbered.c.customer_id, numbered.c.journey],
        "order_by": [numbered.c.touched_at, numbered.c.campaign_id],
        "rows": (None, None),
    }
    path = _joined(numbered.c.key).over(**whole).label("path")
    step = select(path, _place(whole).label("place")).subquery("step")
    return select(step.c.path, func.count().label("journeys")).where(step.c.place == 1).group_by(step.c.path)


def _used(asked: Question, seen: Subquery, as_of: datetime) -> ColumnElement:
    """Whether any conversion, of this period or not, has a message among its touches."""
    source, at, those = _source(asked)
    return (
        select(literal(1))
        .select_from(source)
        .where(
            source.customer_id == seen.c.customer_id,
            those,
            at >= seen.c.sent_at,
            at <= as_of,
            at <= later(seen.c.touched_at, asked.window_days),
            _touched_at(seen, at) >= later(at, -asked.window_days),
        )
        .correlate(seen)
        .exists()
    )


def _joined(key: ColumnElement):
    return func.aggregate_strings(cast(key, String), ",")


def _place(whole: dict) -> ColumnElement:
    return func.row_number().over(partition_by=whole["partition_by"], order_by=whole["order_by"])
