"""Rows of many keys at once: the same ones, however they are looked up."""

import pandas as pd
import pytest
from sqlalchemy import select

from ma.db import staging
from ma.models import Customer
from tests.services.campaign_world import add_customers

CUSTOMER = Customer.__table__


@pytest.mark.parametrize("batch", [3, 1_000])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_rows_with_some_keys_are_those_rows(database, monkeypatch, batch, share):
    monkeypatch.setattr(staging, "BATCH", batch)
    monkeypatch.setattr(staging, "_MOST_LOOKED_UP", share)
    with database.writing() as session:
        add_customers(session, 20)
    wanted = pd.Series([3, 5, 8, 13, 4_000, 5, None], dtype="Int64")
    with database.reading() as session:
        query = select(CUSTOMER.c.id, CUSTOMER.c.search_text)
        found = staging.rows_with(session, query, CUSTOMER.c.id, wanted)
        nobody = staging.rows_with(session, query, CUSTOMER.c.id, wanted[:0])
        by_id = staging.by_id(session, query, CUSTOMER.c.id, wanted.dropna())
    assert sorted(found["id"]) == sorted(by_id["id"]) == [3, 5, 8, 13]
    assert nobody.empty
    assert list(nobody) == list(found) == ["id", "search_text"]
