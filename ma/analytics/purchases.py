"""Whole lists of facts, for taking them out: orders, their lines, and what people did."""

from datetime import datetime

import pandas as pd
from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from ma.analytics.frames import read
from ma.models import BehaviourEvent, Category, Customer, Purchase, PurchaseLine

# Sales stay when somebody is deleted; who it was does not.
_BUYER = and_(Customer.id == Purchase.customer_id, Customer.deleted_at.is_(None))


def purchases(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Every order, oldest first: order_key, kind, at, customer_id, external_id, amount_minor (signed)."""
    return _in_time(
        read(
            session,
            select(
                Purchase.external_key.label("order_key"),
                Purchase.kind,
                Purchase.at,
                Customer.id.label("customer_id"),
                Customer.external_id,
                Purchase.amount_minor,
            )
            .outerjoin(Customer, _BUYER)
            .where(Purchase.at <= as_of)
            .order_by(Purchase.at, Purchase.id),
        )
    )


def purchase_lines(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """The lines of every order, with its key, kind, time and customer; amount_minor is that of the line."""
    return _in_time(
        read(
            session,
            select(
                Purchase.external_key.label("order_key"),
                PurchaseLine.line,
                Purchase.kind,
                Purchase.at,
                Customer.id.label("customer_id"),
                Customer.external_id,
                PurchaseLine.product,
                Category.name.label("category"),
                PurchaseLine.quantity,
                PurchaseLine.amount_minor,
            )
            .join(Purchase, Purchase.id == PurchaseLine.purchase_id)
            .outerjoin(Category, Category.id == PurchaseLine.category_id)
            .outerjoin(Customer, _BUYER)
            .where(Purchase.at <= as_of)
            .order_by(Purchase.at, Purchase.id, PurchaseLine.line),
        )
    )


def events(session: Session, *, as_of: datetime) -> pd.DataFrame:
    """Every event of people who are here: event_key, kind, at, customer_id, external_id, page, device."""
    return _in_time(
        read(
            session,
            select(
                BehaviourEvent.external_key.label("event_key"),
                BehaviourEvent.kind,
                BehaviourEvent.at,
                Customer.id.label("customer_id"),
                Customer.external_id,
                BehaviourEvent.page,
                BehaviourEvent.device,
            )
            .join(Customer, and_(Customer.id == BehaviourEvent.customer_id, Customer.deleted_at.is_(None)))
            .where(BehaviourEvent.at <= as_of)
            .order_by(BehaviourEvent.at, BehaviourEvent.id),
        )
    )


def _in_time(frame: pd.DataFrame) -> pd.DataFrame:
    ids = frame["customer_id"].astype("Int64")
    return frame.assign(at=pd.to_datetime(frame["at"], utc=True), customer_id=ids)
