"""The names of customers and campaigns that another module knows by their ids only."""

from collections.abc import Iterable

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.models import Campaign, Customer

# Values of one IN list.
_BATCH = 5_000


def customer_names(session: Session, ids: Iterable[int]) -> dict[int, str]:
    """Their name, else their e-mail address, by id; whoever is not here (any more) is left out."""
    names = {}
    for part in _parts(ids):
        rows = select(Customer.id, Customer.first_name, Customer.last_name, Customer.email)
        for row in session.execute(rows.where(Customer.id.in_(part), Customer.deleted_at.is_(None))):
            name = " ".join(filter(None, (row.first_name, row.last_name)))
            names[row.id] = name or row.email or f"Customer {row.id}"
    return names


def campaign_names(session: Session, ids: Iterable[int]) -> dict[int, str]:
    """The names of these campaigns."""
    return {
        row.id: row.name
        for part in _parts(ids)
        for row in session.execute(select(Campaign.id, Campaign.name).where(Campaign.id.in_(part)))
    }


def _parts(ids: Iterable[int]) -> Iterable[list[int]]:
    ordered = sorted({int(i) for i in ids if not pd.isna(i)})
    return (ordered[start : start + _BATCH] for start in range(0, len(ordered), _BATCH))
