"""Consent as it stood at any instant, from its history."""

from sqlalchemy import ColumnElement, and_, func, not_, or_, select

from ma.models import ConsentChange
from ma.rules.fields import Field
from ma.rules.nodes import FieldRule
from ma.rules.sql_context import Context, among
from ma.types import Channel

CHANNELS = {f"consent_{channel}": channel.value for channel in Channel}


def consent_condition(rule: FieldRule, field: Field, context: Context) -> ColumnElement:
    """Whether a channel was allowed, or not allowed, at `as_of`.

    The customer's column is the last change. Only for those with a change after `as_of` the history says
    what it was: the last one up to then, and not allowed where there is none. Now these are nobody, and an
    index knows it at once.
    """
    of_channel = ConsentChange.channel == CHANNELS[rule.field]
    later = select(ConsentChange.customer_id).where(of_channel, ConsentChange.at > context.as_of)
    newest_first = (ConsentChange.at.desc(), ConsentChange.id.desc())
    place = func.row_number().over(partition_by=ConsentChange.customer_id, order_by=newest_first)
    before = (
        select(ConsentChange.customer_id, ConsentChange.allowed, place.label("place"))
        .where(of_channel, ConsentChange.at <= context.as_of, ConsentChange.customer_id.in_(later))
        .subquery()
    )
    allowed_then = among(select(before.c.customer_id).where(before.c.place == 1, before.c.allowed))
    allowed = or_(and_(field.column, not_(among(later))), allowed_then)
    return allowed if rule.value else not_(allowed)
