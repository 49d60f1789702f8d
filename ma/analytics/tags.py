"""Tags: which there are, and which one customer has."""

from datetime import datetime

import pandas as pd
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from ma.analytics.customers import timed
from ma.analytics.frames import read
from ma.models import Customer, CustomerTag, Tag


def tag_names(session: Session) -> list[str]:
    """The names of all tags that somebody has, in alphabetical order: one look into the index for each."""
    used = exists().where(CustomerTag.tag_id == Tag.id)
    return list(session.scalars(select(Tag.name).where(used).order_by(Tag.name_folded)))


def tags(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """All tags and how many customers have them: tag_id, name, customers. Reads every tagged customer."""
    tagged = (
        select(CustomerTag.tag_id, func.count().label("customers"))
        .join(Customer, Customer.id == CustomerTag.customer_id)
        .where(CustomerTag.at <= as_of, Customer.deleted_at.is_(None))
        .group_by(CustomerTag.tag_id)
        .subquery()
    )
    rows = (
        select(Tag.id.label("tag_id"), Tag.name, tagged.c.customers)
        .join(tagged, tagged.c.tag_id == Tag.id)
        .order_by(Tag.name_folded)
    )
    return read(session, rows).astype({"tag_id": "int64", "name": "str", "customers": "int64"})


def customer_tags(session: Session, *, customer_id: int, as_of: datetime) -> pd.DataFrame:
    """The tags of one customer by name: tag_id, name, tagged_at, actor (who put it on)."""
    rows = (
        select(Tag.id.label("tag_id"), Tag.name, CustomerTag.at.label("tagged_at"), CustomerTag.actor)
        .join(CustomerTag, CustomerTag.tag_id == Tag.id)
        .join(Customer, Customer.id == CustomerTag.customer_id)
        .where(
            CustomerTag.customer_id == customer_id,
            CustomerTag.at <= as_of,
            Customer.deleted_at.is_(None),
        )
        .order_by(Tag.name_folded)
    )
    return timed(read(session, rows), "tagged_at").astype({"tag_id": "int64", "name": "str", "actor": "str"})
