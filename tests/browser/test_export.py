"""The export menu in a real browser."""

import pandas as pd
import pytest

from ma import clock
from ma.files.writing import restored
from ma.services.customers import create_customer
from ma.types import SYSTEM

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("menu", "read"), [("CSV", pd.read_csv), ("Parquet", pd.read_parquet)])
def test_an_analyst_downloads_the_customers_on_the_screen(app, page, signed_in, tmp_path, menu, read):
    name = f"=Formula-{menu}"
    with app.database.writing() as session:
        create_customer(session, SYSTEM, at=clock.now(), first_name=name, last_name="Export")
    signed_in(page, "analyst", f"/customers?q=Formula-{menu}")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=menu).click()
    assert download.value.suggested_filename == f"customers.{menu.lower()}"
    download.value.save_as(tmp_path / "file")
    names = read(tmp_path / "file")["first_name"]
    if menu == "CSV":
        assert names.tolist() == ["'" + name]
        names = restored(names)
    assert names.tolist() == [name]
    assert len(page.context.pages) == 1
