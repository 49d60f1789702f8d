"""Consent as it stood at any instant, from its history."""

from sqlalchemy import ColumnElement, and_, not_, or_, select
from sqlalchemy.orm import aliased

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
    then, newer = aliased(ConsentChange), aliased(ConsentChange)
    # Without a window function: for such PostgreSQL never reads the customers in parallel.
    follows = or_(newer.at > then.at, and_(newer.at == then.at, newer.id > then.id))
    same = (newer.customer_id == then.customer_id, newer.channel == then.channel)
    followed = select(newer.id).where(*same, newer.at <= context.as_of, follows).exists()
    last = select(then.customer_id).where(
        then.channel == CHANNELS[rule.field], then.at <= context.as_of, then.customer_id.in_(later)
    )
    allowed_then = among(last.where(then.allowed, not_(followed)))
    allowed = or_(and_(field.column, not_(among(later))), allowed_then)
    return allowed if rule.value else not_(allowed)
