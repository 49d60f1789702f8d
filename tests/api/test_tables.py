"""Any table of the screens, whole."""

import pytest
from sqlalchemy import select

from ma.analytics.frames import frames
from ma.models import Audit


def exports(api):
    with api.database.reading() as session:
        return [
            (row.actor, row.noun, row.detail)
            for row in session.scalars(select(Audit).where(Audit.action == "export"))
        ]


def test_all_of_them_are_listed_with_what_they_hold(sqlite_api):
    told = sqlite_api.client("viewer").get("/api/tables").json()["tables"]
    assert [one["name"] for one in told] == sorted(frames())
    assert all(one["description"] for one in told)


def test_one_is_read_whole_by_its_parameters_and_noted(api):
    client = api.client("analyst")
    rows = client.get("/api/tables/customers?consent=email,sms&sort=id").json()
    assert rows["problems"]
    rule = '{"field": "engagement", "operator": "gte", "value": 31}'
    rows = client.get(f"/api/tables/customers?consent=email,sms&rule={rule}").json()["rows"]
    assert {row["customer_id"] for row in rows} == set(range(31, 41))
    assert client.get("/api/tables/segments", headers={"Accept": "text/csv"}).status_code == 200
    detail = {"params": {"consent": "email,sms"}, "rows": 10, "extension": "json"}
    assert exports(api)[0] == ("analyst", "customers", detail)
    assert exports(api)[1][2]["extension"] == "csv"


def test_who_somebody_is_does_not_go_into_the_log(sqlite_api):
    client = sqlite_api.client("analyst")
    personal = "q=Zoe&tag=Zoe Example&consent=email"
    assert client.get(f"/api/tables/customers?{personal}").status_code == 200
    [(_, _, detail)] = exports(sqlite_api)
    assert detail["params"] == {"consent": "email"}


def test_taking_one_out_needs_the_permission_in_every_format(sqlite_api):
    assert sqlite_api.client("viewer").get("/api/tables/segments").status_code == 403
    assert exports(sqlite_api) == []


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("nothing", 404),
        ("customers?colour=red", 422),
        ("recipients", 422),
        ("recipients?campaign_id=x", 422),
        ("segment_members?segment_id=77", 404),
        ("kpis?start=2026-02-30&end=2026-03-01", 422),
        ("customers?q=%00", 422),
    ],
)
def test_what_is_no_table_is_told(sqlite_api, address, status):
    answer = sqlite_api.client("analyst").get(f"/api/tables/{address}")
    assert answer.status_code == status
    assert answer.json()["detail"]
