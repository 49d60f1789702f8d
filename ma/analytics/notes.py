"""Notes about one customer."""

from datetime import datetime

import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.analytics.customers import timed
from ma.analytics.frames import read
from ma.models import Customer, Note


def customer_notes(session: Session, *, customer_id: int, as_of: datetime) -> pd.DataFrame:
    """What people wrote down about a customer, the latest first.

    Columns: note_id, written_at, author, text, edited_at (missing: as it was written).
    """
    rows = (
        select(Note.id.label("note_id"), Note.at.label("written_at"), Note.author, Note.text, Note.edited_at)
        .join(Customer, Customer.id == Note.customer_id)
        .where(Note.customer_id == customer_id, Note.at <= as_of, Customer.deleted_at.is_(None))
        .order_by(Note.at.desc(), Note.id.desc())
    )
    return timed(read(session, rows), "written_at", "edited_at").astype(
        {"note_id": "int64", "author": "str", "text": "str"}
    )
