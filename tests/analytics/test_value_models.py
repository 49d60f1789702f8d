"""The columns of scores in lists of customers, and the frames of fits and scores where there are none."""

import pandas as pd
import pytest

from ma.analytics.customers import customers
from ma.analytics.frames import frame
from ma.analytics.value_models import value_model, value_models
from ma.errors import InvalidInput
from ma.notebook import Workbench
from tests.analytics import value_world as world
from tests.analytics.result_world import NOW
from tests.analytics.test_score_groups import VALUES, score

PEOPLE = 30
COLUMNS = "external_id,rfm_segment,churn_risk,expected_value"


@pytest.fixture
def shop(database):
    with database.writing() as session:
        world.build(session, PEOPLE)
        score(session, PEOPLE)
    return database


def test_a_list_shows_scores_where_somebody_asks_for_them(shop):
    with shop.reading() as session:
        found = customers(session, as_of=NOW, columns=COLUMNS).set_index("customer_id")
        page = customers(session, as_of=NOW, columns=COLUMNS, limit=5, offset=3).set_index("customer_id")
        usual = customers(session, as_of=NOW)
    assert not {"rfm_segment", "churn_risk", "expected_value_minor"} & set(usual)
    pd.testing.assert_frame_equal(page, found.loc[page.index])
    for customer_id, row in found.iterrows():
        scored, known = customer_id % 10 != 0, customer_id % 7 != 0
        value = VALUES[customer_id % len(VALUES)] if scored and known else None
        named = ["Champions", "At risk", None][customer_id % 3] if scored else None
        shown = [
            None if pd.isna(row[name]) else row[name] for name in ("expected_value_minor", "rfm_segment")
        ]
        assert shown == [value, named]
    with shop.reading() as session, pytest.raises(InvalidInput, match="sorted by 'churn_risk'"):
        customers(session, as_of=NOW, sort="churn_risk")


def test_a_notebook_reads_the_scores_of_a_segment(shop):
    workbench = Workbench(shop)
    everybody = workbench.customer_scores(as_of=NOW)
    risky = workbench.customer_scores("At risk", as_of=NOW)
    assert 0 < len(risky) < len(everybody)
    assert set(risky["rfm_segment"]) == {"At risk"}
    assert workbench.value_summaries(as_of=NOW).empty


def test_before_the_first_scoring_there_is_nothing_and_its_columns(shop, database):
    with database.writing() as session:
        assert value_model(session)["id"] == 1
        whole = frame(session, "customer_scores", as_of=NOW, params={})
        early = frame(session, "customer_scores", as_of=NOW - pd.Timedelta(days=1), params={})
        assert early.empty
        assert early.dtypes.to_dict() == whole.dtypes.to_dict()
        fits, none = (value_models(session, as_of=NOW - pd.Timedelta(days=ago)) for ago in (0, 1))
        assert (len(fits), len(none)) == (1, 0)
        assert none.dtypes.to_dict() == fits.dtypes.to_dict()
        # A fit without figures or parameters has none.
        assert fits[["r", "r_se", "v", "holdout_weeks", "expected_value_minor"]].isna().all(axis=None)
