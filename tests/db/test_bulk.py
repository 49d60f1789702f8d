"""What is inserted in bulk is read back as it was, also where all rows have the same."""

from datetime import UTC, date, datetime

import pandas as pd
import pytest
from sqlalchemy import select

from ma.db import bulk
from ma.models import Customer

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
SAME = {
    "search_text": "it's the same", "split_bucket": 9_999, "orders": 0, "spend_minor": -(2**40), "visits": 0,
    "engagement": 12.5, "version": 1, "created_at": AT, "updated_at": AT, "birth_date": date(1980, 2, 29),
    "first_name": None, "last_order_at": None, "consent_email": True, "consent_sms": False,
    "consent_push": False, "consent_direct_mail": False,
}  # fmt: skip
OTHER = SAME | {
    "search_text": "", "split_bucket": 0, "orders": 7, "spend_minor": 2**40, "engagement": None,
    "created_at": datetime(1999, 12, 31, tzinfo=UTC), "birth_date": None, "first_name": "Zoë",
    "last_order_at": AT, "consent_email": False, "consent_push": True,
}  # fmt: skip


@pytest.mark.parametrize("kinds", [[SAME], [SAME, SAME, SAME], [SAME, OTHER], [OTHER, SAME, SAME]])
def test_rows_come_back_as_they_were(database, kinds):
    frame = pd.DataFrame([{"id": number} | kind for number, kind in enumerate(kinds, 1)])
    with database.writing() as session:
        assert bulk.insert(session, Customer.__table__, frame) == len(kinds)
    with database.reading() as session:
        query = select(*(Customer.__table__.c[name] for name in frame)).order_by(Customer.id)
        found = [dict(row) for row in session.execute(query).mappings()]
    assert found == [{"id": number} | kind for number, kind in enumerate(kinds, 1)]


@pytest.mark.parametrize(
    "text", ["", "treated", "direct_mail", "it's", "x'); DROP TABLE customer; --", "Ä", "a b"]
)
def test_a_text_that_all_rows_have_comes_back_as_it_was(database, text):
    frame = pd.DataFrame([{"id": number} | SAME | {"search_text": text} for number in (1, 2, 3)])
    with database.writing() as session:
        bulk.insert(session, Customer.__table__, frame)
    with database.reading() as session:
        assert session.scalars(select(Customer.search_text)).all() == [text] * 3
