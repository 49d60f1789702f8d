"""What is due happens at its own time and in order, however late we look."""

import pandas as pd
import pytest
from sqlalchemy import select, update

from ma.models import Audit, Customer, Segment
from ma.services.campaigns import schedule_campaign
from ma.services.due import catch_up, complete_due, due, launch_due, send_due_waves
from ma.services.launches import launch_campaign
from ma.services.segments import refresh_segment
from ma.simulation import assignment
from ma.types import SYSTEM
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, campaign, days, draft


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, 200)
        yield session


def scheduled(session, name, after, **values):
    campaign_id = draft(session, name=name, **values)
    schedule_campaign(session, SYSTEM, campaign_id, scheduled_at=NOW + days(after), at=NOW)
    return campaign_id


def test_nothing_is_due_before_its_time(session):
    scheduled(session, "Later", 2)
    draft(session, name="Draft")
    assert due(session, at=NOW + days(1.9)) == []
    assert catch_up(session, at=NOW + days(1.9)) == []


def test_a_jump_of_the_clock_does_everything_at_its_own_time_and_in_order(session):
    first = scheduled(session, "First", 1, waves=3)
    second = scheduled(session, "Second", 2.5)
    done = catch_up(session, at=NOW + days(30))
    assert [(item.campaign_id, item.kind) for item in done] == [
        (first, "launch"),
        (first, "wave"),
        (second, "launch"),
        (first, "wave"),
        (second, "completion"),
        (first, "completion"),
    ]
    assert [item.at for item in done[:4]] == [NOW + days(count) for count in (1, 2, 2.5, 3)]
    frame = world.outcomes(session, first)
    assert set(frame["sent_at"]) == {NOW + days(count) for count in (1, 2, 3)}
    # The last messages left on 5 March in New York, which ended at 05:00 UTC; and seven times 24 hours.
    assert campaign(session, first).completed_at == done[-1].at
    assert str(done[-1].at) == "2026-03-13 05:00:00+00:00"
    for campaign_id in (first, second):
        assert campaign(session, campaign_id).status == "completed"
        world.assert_results_are_the_outcomes(session, campaign_id)
    assert catch_up(session, at=NOW + days(30)) == []


def test_looking_often_gives_the_same_as_looking_once(database, monkeypatch):
    # The seed is made of the campaign's id, which PostgreSQL does not give out twice.
    monkeypatch.setattr(assignment, "stable_hash", lambda text: 7)
    frames = []
    for steps in ([30], [0.5, 1, 1.2, 2, 3, 9, 30]):
        with database.writing() as session:
            if not frames:
                world.build(session, 200)
            savepoint = session.begin_nested()
            campaign_id = scheduled(session, "Spring", 1, waves=3, holdout_share=0.2)
            for step in steps:
                catch_up(session, at=NOW + days(step))
            frames.append(world.outcomes(session, campaign_id).drop(columns="campaign_id"))
            savepoint.rollback()
    pd.testing.assert_frame_equal(*frames)
    assert set(frames[0]["sent_at"].dropna()) == {NOW + days(n) for n in (1, 2, 3)}


def test_each_kind_can_be_done_by_itself(session):
    campaign_id = scheduled(session, "Spring", 1, waves=2)
    assert send_due_waves(session, at=NOW + days(30)) == []
    assert [item.kind for item in launch_due(session, at=NOW + days(30))] == ["launch"]
    assert complete_due(session, at=NOW + days(30)) == []
    assert [item.kind for item in send_due_waves(session, at=NOW + days(30))] == ["wave"]
    assert [item.campaign_id for item in complete_due(session, at=NOW + days(30))] == [campaign_id]


def test_a_scheduled_campaign_to_nobody_goes_back_to_draft_with_the_step_in_the_log(session):
    first, second = scheduled(session, "Nobody", 1), scheduled(session, "Also", 2)
    session.execute(update(Customer.__table__).values(consent_sms=False))
    catch_up(session, at=NOW + days(3))
    assert [campaign(session, key).status for key in (first, second)] == ["draft", "draft"]
    reasons = session.scalars(select(Audit.detail).where(Audit.action == "unschedule")).all()
    # Where they were lost, and no name: the log holds ids, counts and codes only.
    assert reasons == [{"reason": "consent"}] * 2
    assert world.events(session).count("CampaignLaunched") == 0


def test_a_late_launch_does_not_set_its_segment_back(session):
    campaign_id = scheduled(session, "Late", 1)
    refresh_segment(session, SYSTEM, world.SEGMENT, at=NOW + days(3))
    catch_up(session, at=NOW + days(4))
    assert set(world.outcomes(session, campaign_id)["sent_at"]) == {NOW + days(1)}
    assert session.get(Segment, world.SEGMENT).refreshed_at == NOW + days(3)


def test_a_running_campaign_is_complete_when_its_window_is_over_and_not_before(session):
    campaign_id = draft(session, conversion_window_days=2)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    end = NOW.replace(day=5, hour=5)  # the day after 2 March in New York, and two days
    assert complete_due(session, at=end - days(0.001)) == []
    assert complete_due(session, at=end)[0].at == end
    assert campaign(session, campaign_id).completed_at == end
