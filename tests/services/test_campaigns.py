"""A campaign's life: what a draft may hold, who may change it when, and which steps are possible."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.models import Campaign, Outcome
from ma.services import campaigns as service
from ma.services.launches import launch_campaign
from ma.services.merge_fields import MERGE_FIELDS
from ma.services.merge_fields import problem as merge_field_problem
from ma.types import SYSTEM, TRANSITIONS, Actor, CampaignStatus, Channel, Role
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, campaign, days, draft, events

MARKETER = Actor(username="mia", role=Role.MARKETER, user_id=1)
ANALYST = Actor(username="ann", role=Role.ANALYST, user_id=2)


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, 60)
        yield session


def test_a_draft_is_saved_with_its_defaults_its_event_and_its_audit_entry(session):
    campaign_id = draft(session, name="  Spring ", channel=Channel.EMAIL)
    row = campaign(session, campaign_id)
    assert (row.name, row.status, row.source, row.created_by) == ("Spring", "draft", "simulated", "system")
    assert (row.conversion_window_days, row.holdout_share, row.waves, row.version) == (7, 0.0, 1, 1)
    assert (row.cost_per_thousand_minor, row.fixed_cost_minor) == (None, None)
    assert row.steps == ("sent,delivered,opened,clicked,converted,bounced,unsubscribed,complained,organic")
    assert events(session)[-1] == "CampaignCreated"
    assert world.actions(session) == ["create"]


def test_all_problems_are_told_at_once_and_nothing_is_saved(session):
    with pytest.raises(InvalidInput) as refusal:
        service.create_campaign(
            session,
            MARKETER,
            name=" ",
            channel="pigeon",
            segment_id=99,
            subject="Hi {{ first_nam }}",
            body="",
            cost_per_thousand_minor=-1,
            fixed_cost_minor=1.5,
            conversion_window_days=91,
            holdout_share=0.6,
            waves=0,
            at=NOW,
        )
    assert set(refusal.value.problems) == {
        "name",
        "channel",
        "segment_id",
        "subject",
        "body",
        "cost_per_thousand_minor",
        "fixed_cost_minor",
        "conversion_window_days",
        "holdout_share",
        "waves",
    }
    assert "Did you mean “first_name”?" in refusal.value.problems["subject"]
    assert session.scalar(select(Campaign.id)) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 101),
        ("name", "two\nlines"),
        ("name", "sPRING ﬁ"),
        ("segment_id", None),
        ("subject", ""),
        ("subject", "two\nlines"),
        ("body", "x" * 20_001),
        ("body", "\x00"),
        ("cost_per_thousand_minor", True),
        ("cost_per_thousand_minor", 10**13),
        ("conversion_window_days", 0),
        ("conversion_window_days", "7"),
        ("holdout_share", float("nan")),
        ("holdout_share", -0.1),
        ("holdout_share", None),
        ("waves", 31),
        ("waves", 1.0),
    ],
)
def test_each_field_refuses_what_it_cannot_hold(session, field, value):
    draft(session, name="Spring fi")
    values = {"name": "Other", "channel": Channel.EMAIL, field: value}
    with pytest.raises(InvalidInput) as refusal:
        draft(session, **values)
    assert list(refusal.value.problems) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 100),
        ("body", 'Dear {{ first_name }} {{last_name}},\n\tcome to {{ city | default: "our shop" }}!'),
        ("cost_per_thousand_minor", 0),
        ("conversion_window_days", 90),
        ("holdout_share", 0.5),
        ("holdout_share", 0),
        ("waves", 30),
    ],
)
def test_each_field_takes_what_lies_at_its_limits(session, field, value):
    campaign_id = draft(session, **{field: value})
    assert getattr(campaign(session, campaign_id), field) == value


def test_only_an_email_needs_a_subject(session):
    assert draft(session, channel=Channel.PUSH, subject="")
    with pytest.raises(InvalidInput, match="Write a subject"):
        draft(session, name="Mail", channel=Channel.EMAIL, subject="")


@pytest.mark.parametrize(
    "text",
    [
        "{{ password }}",
        "{{ first_name.__class__ }}",
        "{{ first_name | upper }}",
        "{{ first_name | default: there }}",
        "{{ first_name",
        "first_name }}",
        "{{ {{ first_name }} }}",
        "{{}}",
    ],
)
def test_merge_fields_outside_the_list_are_refused(text):
    assert merge_field_problem(text)


def test_merge_fields_of_the_list_are_accepted_with_and_without_a_default():
    for name in MERGE_FIELDS:
        assert merge_field_problem(f'{{{{ {name} }}}} and {{{{{name}|default:"you"}}}}') is None
    assert merge_field_problem("50 % { off } today") is None


def test_an_update_says_what_changed_and_a_stale_one_is_refused(session):
    campaign_id = draft(session)
    changes = {"name": "Summer", "waves": 1, "channel": Channel.PUSH}
    changed = service.update_campaign(session, MARKETER, campaign_id, version=1, at=NOW, **changes)
    assert changed == ["channel", "name"]
    row = campaign(session, campaign_id)
    assert (row.name, row.name_folded, row.version) == ("Summer", "summer", 2)
    assert row.steps == "sent,delivered,opened,converted,bounced,unsubscribed,organic"
    with pytest.raises(Conflict, match="somebody else"):
        service.update_campaign(session, MARKETER, campaign_id, version=1, name="Autumn", at=NOW)
    assert service.update_campaign(session, MARKETER, campaign_id, version=2, name="Summer", at=NOW) == []
    assert events(session).count("CampaignUpdated") == 1


def test_an_update_judges_the_whole_campaign(session):
    campaign_id = draft(session, channel=Channel.SMS, subject="")
    with pytest.raises(InvalidInput, match="Write a subject"):
        service.update_campaign(session, MARKETER, campaign_id, version=1, channel=Channel.EMAIL, at=NOW)


def test_a_copy_is_a_draft_under_a_free_name(session):
    campaign_id = draft(session, name="x" * 100, waves=3, holdout_share=0.1, fixed_cost_minor=700)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    first = campaign(session, service.duplicate_campaign(session, MARKETER, campaign_id, at=NOW))
    second = campaign(session, service.duplicate_campaign(session, MARKETER, campaign_id, at=NOW))
    assert first.name == "x" * 93 + " (copy)"
    assert second.name.endswith(" (copy 2)")
    assert (first.status, first.launched_at, first.seed, first.waves_sent) == ("draft", None, None, 0)
    assert (first.waves, first.holdout_share, first.fixed_cost_minor) == (3, 0.1, 700)


def test_scheduling_wants_a_time_in_the_coming_year(session):
    campaign_id = draft(session)
    for wrong in (NOW, NOW - days(1), NOW + days(367), datetime(2026, 4, 1)):
        with pytest.raises(InvalidInput, match="future"):
            service.schedule_campaign(session, MARKETER, campaign_id, scheduled_at=wrong, at=NOW)
    service.schedule_campaign(session, MARKETER, campaign_id, scheduled_at=NOW + days(2), at=NOW)
    row = campaign(session, campaign_id)
    assert (row.status, row.scheduled_at) == ("scheduled", NOW + days(2))
    service.unschedule_campaign(session, MARKETER, campaign_id, at=NOW)
    row = campaign(session, campaign_id)
    assert (row.status, row.scheduled_at) == ("draft", None)


STEPS_OF_LIFE = {
    CampaignStatus.SCHEDULED: lambda s, i: service.schedule_campaign(
        s, MARKETER, i, scheduled_at=NOW + days(1), at=NOW
    ),
    CampaignStatus.DRAFT: lambda s, i: service.unschedule_campaign(s, MARKETER, i, at=NOW),
    CampaignStatus.PAUSED: lambda s, i: service.pause_campaign(s, MARKETER, i, at=NOW),
    CampaignStatus.COMPLETED: lambda s, i: service.complete_campaign(s, MARKETER, i, at=NOW),
    CampaignStatus.CANCELLED: lambda s, i: service.cancel_campaign(s, MARKETER, i, at=NOW),
}


@pytest.mark.parametrize("start", list(CampaignStatus))
@pytest.mark.parametrize("end", [*STEPS_OF_LIFE, "launched", "resumed"])
def test_exactly_the_steps_of_the_table_are_possible(session, start, end):
    campaign_id = draft(session)
    session.execute(update(Campaign.__table__).values(status=start, launched_at=NOW))
    if end == "launched":
        possible = start in (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
        step = lambda s, i: launch_campaign(s, MARKETER, i, at=NOW)  # noqa: E731
    elif end == "resumed":
        possible = start is CampaignStatus.PAUSED
        step = lambda s, i: service.resume_campaign(s, MARKETER, i, at=NOW)  # noqa: E731
    else:
        possible, step = end in TRANSITIONS[start], STEPS_OF_LIFE[end]
    if possible:
        step(session, campaign_id)
        now = campaign(session, campaign_id).status
        assert now == ("running" if end in ("launched", "resumed") else end)
    else:
        with pytest.raises(Conflict, match=f"“Spring” is {start}") as refusal:
            step(session, campaign_id)
        assert "You can" in str(refusal.value)
        assert campaign(session, campaign_id).status == start


def test_only_a_draft_can_be_changed_and_the_refusal_says_what_is_possible(session):
    campaign_id = draft(session)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    with pytest.raises(Conflict) as refusal:
        service.update_campaign(session, MARKETER, campaign_id, version=2, name="New", at=NOW)
    assert str(refusal.value) == (
        "“Spring” is running. Only a draft can be changed. "
        "You can pause it, complete it, cancel it or duplicate it."
    )


def test_completing_and_cancelling_drop_the_waves_to_come_and_keep_what_was_sent(session):
    for name, end in (("One", service.complete_campaign), ("Two", service.cancel_campaign)):
        campaign_id = draft(session, name=name, waves=4, holdout_share=0.2)
        launch = launch_campaign(session, SYSTEM, campaign_id, at=NOW)
        assert launch.planned > 0
        end(session, MARKETER, campaign_id, at=NOW + timedelta(hours=1))
        left = world.outcomes(session, campaign_id)
        assert set(left["wave"]) == {1}
        assert left["sent_at"].notna().sum() == launch.sent
        assert campaign(session, campaign_id).next_wave_at is None
        world.assert_results_are_the_outcomes(session, campaign_id)


def test_resuming_lets_the_overdue_wave_go_now_and_moves_those_after_it(session):
    campaign_id = draft(session, waves=3)
    launch_campaign(session, SYSTEM, campaign_id, at=NOW)
    service.pause_campaign(session, MARKETER, campaign_id, at=NOW)
    assert campaign(session, campaign_id).next_wave_at == NOW + days(1)
    service.resume_campaign(session, MARKETER, campaign_id, at=NOW + days(5))
    assert campaign(session, campaign_id).next_wave_at == NOW + days(5)
    planned = session.execute(
        select(Outcome.wave, Outcome.assigned_at).where(Outcome.sent_at.is_(None)).distinct()
    ).all()
    assert dict(planned) == {2: NOW + days(5), 3: NOW + days(6)}
    world.assert_results_are_the_outcomes(session, campaign_id)


def test_permission_lives_here(session):
    campaign_id = draft(session)
    for forbidden in (
        lambda: service.create_campaign(session, ANALYST, name="Mine", at=NOW),
        lambda: service.update_campaign(session, ANALYST, campaign_id, version=1, name="Mine", at=NOW),
        lambda: service.duplicate_campaign(session, ANALYST, campaign_id, at=NOW),
        lambda: service.schedule_campaign(session, ANALYST, campaign_id, scheduled_at=NOW + days(1), at=NOW),
        lambda: service.unschedule_campaign(session, ANALYST, campaign_id, at=NOW),
        lambda: service.pause_campaign(session, ANALYST, campaign_id, at=NOW),
        lambda: service.resume_campaign(session, ANALYST, campaign_id, at=NOW),
        lambda: service.complete_campaign(session, ANALYST, campaign_id, at=NOW),
        lambda: service.cancel_campaign(session, ANALYST, campaign_id, at=NOW),
        lambda: launch_campaign(session, ANALYST, campaign_id, at=NOW),
    ):
        with pytest.raises(NotAllowed):
            forbidden()
    assert campaign(session, campaign_id).version == 1


def test_a_campaign_that_is_not_there_is_not_found(session):
    for step in (*STEPS_OF_LIFE.values(), lambda s, i: launch_campaign(s, MARKETER, i, at=NOW)):
        with pytest.raises(NotFound, match="no campaign 77"):
            step(session, 77)
