"""A real shop's 541,909 lines through the command line and the screen's own steps.

Expected figures come from the data set's own description: positive lines of known customers 8,911,407.904
over 4,338 customers and 18,532 invoices; 541,909 lines, 25,900 invoices, 4,372 customers; 5,268 equal
lines are kept.
"""

import json

import pytest
from sqlalchemy import func, select

from ma import clock
from ma.cli import main
from ma.db.engine import connect
from ma.files.reading import read
from ma.models import Customer, Purchase, PurchaseLine
from ma.services import import_suggestions, imports
from ma.services.workspace import create_workspace
from ma.settings import ROOT, settings
from ma.types import SYSTEM

FILE = ROOT.parent / "shared" / "data" / "online_retail" / "online_retail.csv.gz"


@pytest.mark.skipif(not FILE.exists(), reason="The data set lies beside the checkout, not in it.")
def test_a_real_shop_comes_in_once_with_its_published_figures(sqlite_url, monkeypatch, capsys):
    database = connect(sqlite_url)
    with database.writing() as session:
        create_workspace(
            session, SYSTEM, name="Gifts", timezone="Europe/London", currency="GBP", at=clock.now()
        )
    monkeypatch.setenv("MA_DATABASE_URL", sqlite_url)
    settings.cache_clear()
    with pytest.raises(SystemExit) as ended:
        main(["import", "purchases", str(FILE), "--json"])
    told = json.loads(capsys.readouterr().out)
    settings.cache_clear()
    assert ended.value.code in (0, None)
    assert told["mapping"] == {
        "order_key": "InvoiceNo",
        "at": "InvoiceDate",
        "external_id": "CustomerID",
        "country": "Country",
        "quantity": "Quantity",
        "unit_price": "UnitPrice",
        "product": "Description",
    }
    assert (told["counts"]["rows"], told["counts"]["new"], told["counts"]["rejected"]) == (
        541_909,
        541_909,
        0,
    )
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(PurchaseLine)) == 541_909
        assert session.scalar(select(func.count()).select_from(Purchase)) == 25_900
        assert session.scalar(select(func.count()).select_from(Customer)) == 4_372
        clean = session.execute(
            select(
                func.count(Purchase.customer_id.distinct()),
                func.count(Purchase.id.distinct()),
                func.sum(PurchaseLine.amount_minor),
            )
            .join(Purchase, Purchase.id == PurchaseLine.purchase_id)
            .where(
                Purchase.customer_id.is_not(None), PurchaseLine.quantity > 0, PurchaseLine.amount_minor > 0
            )
        ).one()
    assert tuple(clean) == (4_338, 18_532, 891_140_790)
    # As the screen does it: the kind and the columns found, then the dry run.
    sheet = read(FILE.read_bytes(), name=FILE.name)
    with database.reading() as session:
        kind = import_suggestions.likely_kind(session, sheet)
        found = import_suggestions.suggestion(session, kind, sheet)
        plan = imports.plan(
            session,
            SYSTEM,
            kind,
            sheet,
            mapping=found.mapping,
            key=found.key,
            options=imports.Options(create_missing=True),
            at=clock.now(),
        )
    assert (kind, found.remembered) == ("purchases", True)
    assert plan.counts == {"rows": 541_909, "new": 0, "changed": 0, "unchanged": 541_909, "rejected": 0}
    assert not plan.writes
    database.close()
