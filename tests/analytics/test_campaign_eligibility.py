"""The waterfall of a launch as a table."""

import pytest

from ma.analytics.campaign_eligibility import campaign_eligibility
from ma.errors import NotFound
from ma.services.launches import launch_campaign
from ma.types import SYSTEM
from tests.services.campaign_world import NOW, build, days, draft


def test_the_steps_of_a_launch_with_who_fell_away(database):
    with database.writing() as session:
        build(session, 200)
        campaign_id = draft(session, "Spring", holdout_share=0.2)
        assert campaign_eligibility(session, as_of=NOW, campaign_id=campaign_id).empty
        launch = launch_campaign(session, SYSTEM, campaign_id, at=NOW, seed=3)
    with database.reading() as session:
        frame = campaign_eligibility(session, as_of=NOW, campaign_id=campaign_id)
        assert campaign_eligibility(session, as_of=NOW - days(1), campaign_id=campaign_id).empty
        with pytest.raises(NotFound):
            campaign_eligibility(session, as_of=NOW, campaign_id=99)
    assert frame["step"].tolist()[0] == "audience"
    assert frame["people"].iloc[[0, -1]].tolist() == [200, launch.sent]
    assert frame["lost"].iloc[0] == 0
    assert frame["lost"].sum() == 200 - launch.sent
    assert frame.set_index("step").loc["holdout", "lost"] == launch.holdout
