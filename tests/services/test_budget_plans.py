"""Planning a budget for drafts, and carrying it over: against what launches then do."""

import pytest

from ma.analytics import segments
from ma.db.engine import connect
from ma.errors import InvalidInput, NotAllowed, NotFound
from ma.services.budget_plans import budget_plan, carry_over, ground, plan, table
from ma.services.campaigns import schedule_campaign, stored, update_campaign
from ma.services.forecasts import basis
from ma.services.launches import launch_campaign
from ma.services.segments import add_members, create_static_segment, refresh_segment
from ma.simulation.split import AUDIENCE, BUDGET
from ma.types import SYSTEM, Actor, Channel, Role
from tests.services import campaign_world as world
from tests.services.campaign_world import NOW, days, draft

PEOPLE = 600
COSTS = {"cost_per_thousand_minor": 1_000, "fixed_cost_minor": 50}


@pytest.fixture
def database(sqlite_url):
    """What asks the database is tested on both in tests/analytics; the rest is arithmetic."""
    database = connect(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def session(database):
    with database.writing() as session:
        world.build(session, PEOPLE)
        refresh_segment(session, SYSTEM, world.SEGMENT, at=NOW - days(1))
        yield session


def listed(session, name, ids):
    segment_id = create_static_segment(session, SYSTEM, name=name, at=NOW - days(1))
    add_members(session, SYSTEM, segment_id, segments.these(list(ids)), at=NOW - days(1))
    return segment_id


def four(session):
    """Drafts to all, to one half, to the other half with a holdout, and to all by e-mail."""
    low, high = listed(session, "Low", range(1, 301)), listed(session, "High", range(301, 601))
    return [
        draft(session, name="All", **COSTS),
        draft(session, name="Low half", segment_id=low, **COSTS),
        draft(session, name="High half", segment_id=high, holdout_share=0.2, **COSTS),
        draft(session, name="E-mail", channel=Channel.EMAIL, waves=2, **COSTS),
    ]


def test_a_single_campaigns_people_are_those_of_its_forecast(session):
    ids = four(session)
    found = ground(session, ids, at=NOW)
    assert [row["id"] for row in found.campaigns] == ids
    for row, each in zip(found.campaigns, found.candidates, strict=True):
        own = basis(session, row, at=NOW)
        assert each.cells.equals(own.cells)
        assert each.beliefs == own.beliefs
    assert found.left_out == []


def test_a_launch_with_the_planned_budgets_sends_what_was_planned(session):
    ids = four(session)
    found = ground(session, ids, at=NOW)
    made = plan(found, 1_500, draws=200)
    assert made.best.money_minor.sum() <= 1_500
    assert (made.best.messages > 0).sum() >= 2
    budgets = {
        row["id"]: (row["version"], int(money))
        for row, money in zip(found.campaigns, made.best.money_minor, strict=True)
        if money
    }
    assert len(carry_over(session, SYSTEM, budgets, at=NOW).changed) == len(budgets)
    for row, messages, limit in zip(found.campaigns, made.best.messages, made.limits, strict=True):
        if not messages:
            continue
        update_campaign(session, SYSTEM, row["id"], version=row["version"] + 1, at=NOW, waves=1)
        sent = launch_campaign(session, SYSTEM, row["id"], at=NOW).sent
        # Who is held out and who wins two lots is chance; money that runs out is not.
        noise = 0 if limit == BUDGET else 4 * (0.2 * 0.8 * 300) ** 0.5
        assert limit in (AUDIENCE, BUDGET)
        assert abs(sent - messages) <= noise, row["name"]


def test_the_order_of_the_choice_does_not_matter(session):
    ids = four(session)
    first = budget_plan(session, as_of=NOW, campaign_ids=ids, budget_minor=900)
    assert first.equals(budget_plan(session, as_of=NOW, campaign_ids=ids[::-1] + ids, budget_minor=900))
    assert first["budget_minor"].sum() <= 900
    assert first["budget_minor"].is_monotonic_decreasing
    assert first["share"].to_numpy() == pytest.approx(first["budget_minor"].to_numpy() / 900)


def test_drafts_further_apart_disturb_each_other_less(session):
    ids = [draft(session, name=f"To all {n}", **COSTS) for n in range(5)]
    made = {gap: plan(ground(session, ids, at=NOW, days_apart=gap), 10**6, draws=50) for gap in (0, 7, 30)}
    # Five to the same people: three fill the week.
    assert made[0].best.messages.sum() == 3 * PEOPLE
    assert made[7].best.messages.sum() == 5 * PEOPLE
    assert made[7].best.expected_minor.sum() > made[0].best.expected_minor.sum()
    assert made[30].best.expected_minor.sum() > made[7].best.expected_minor.sum()
    assert made[30].tired_minor.sum() < 1e-6 < made[7].tired_minor.sum()


def test_scheduled_campaigns_keep_their_time(session):
    ids = four(session)
    schedule_campaign(session, SYSTEM, ids[0], scheduled_at=NOW + days(9), at=NOW)
    found = ground(session, ids, at=NOW, days_apart=2)
    assert [(row["id"], row["at"]) for row in found.campaigns] == [
        (ids[1], NOW),
        (ids[2], NOW + days(2)),
        (ids[3], NOW + days(4)),
        (ids[0], NOW + days(9)),
    ]
    assert found.crowd.days == (0.0, 2.0, 4.0, 9.0)


def test_what_cannot_be_planned_is_named_with_the_remedy(session):
    nobody = listed(session, "Nobody", [])
    ids = [
        draft(session, name="Planned", **COSTS),
        draft(session, name="No price", fixed_cost_minor=0),
        draft(session, name="No fixed cost", cost_per_thousand_minor=5),
        draft(session, name="Empty", segment_id=nobody, **COSTS),
        draft(session, name="Sent", **COSTS),
    ]
    launch_campaign(session, SYSTEM, ids[4], at=NOW - days(1))
    found = ground(session, ids, at=NOW)
    assert [row["name"] for row in found.campaigns] == ["Planned"]
    reasons = {out.name: out.reason for out in found.left_out}
    assert reasons["No price"] == "What it costs is unknown. Enter its cost per thousand messages."
    assert "its fixed cost (0 if there is none)" in reasons["No fixed cost"]
    assert "0 segment" in reasons["Empty"]
    assert "It is running" in reasons["Sent"]
    assert len(table(found, plan(found, 100, draws=50))) == 1
    none = ground(session, ids[1:], at=NOW)
    with pytest.raises(InvalidInput, match="None of these"):
        plan(none, 100)


@pytest.mark.parametrize("wrong", [[], [1], [1, 1], list(range(1, 12))])
def test_two_to_ten_campaigns_share_a_budget(session, wrong):
    four(session)
    with pytest.raises(InvalidInput, match="Choose 2 to 10"):
        ground(session, wrong, at=NOW)


def test_what_is_not_there_is_said(session):
    four(session)
    with pytest.raises(NotFound):
        ground(session, [1, 99], at=NOW)
    with pytest.raises(InvalidInput, match="more than 0"):
        plan(ground(session, [1, 2], at=NOW), 0)
    with pytest.raises(InvalidInput, match="0 to 30 days"):
        ground(session, [1, 2], at=NOW, days_apart=31)


def test_carrying_over_keeps_what_somebody_else_changed(session):
    ids = four(session)
    update_campaign(session, SYSTEM, ids[0], version=1, at=NOW, budget_minor=999)
    schedule_campaign(session, SYSTEM, ids[1], scheduled_at=NOW + days(1), at=NOW)
    update_campaign(session, SYSTEM, ids[3], version=1, at=NOW, budget_minor=700)
    budgets = {ids[0]: (1, 500), ids[1]: (2, 500), ids[2]: (1, 600), ids[3]: (2, 700), 99: (1, 5)}
    done = carry_over(session, SYSTEM, budgets, at=NOW)
    assert (done.changed, done.same) == (["High half"], ["E-mail"])
    assert [name for name, _ in done.refused] == ["All", "Low half", "Campaign 99"]
    assert "changed since the plan was made" in done.refused[0][1]
    assert "Only a draft can be changed" in done.refused[1][1]
    assert [stored(session, one)["budget_minor"] for one in ids] == [999, None, 600, 700]
    assert stored(session, ids[2])["version"] == 2


def test_a_budget_that_a_draft_cannot_have_leaves_the_others_theirs(session):
    ids = four(session)
    done = carry_over(session, SYSTEM, {ids[0]: (1, 10), ids[1]: (1, 500)}, at=NOW)
    assert done.changed == ["Low half"]
    assert "does not pay for a single message" in done.refused[0][1]
    assert stored(session, ids[0])["budget_minor"] is None


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ANALYST])
def test_who_may_not_edit_carries_nothing_over(session, role):
    ids = four(session)
    actor = Actor(user_id=1, username="a", name="A", role=role)
    with pytest.raises(NotAllowed):
        carry_over(session, actor, {ids[0]: (1, 500)}, at=NOW)
    assert stored(session, ids[0])["budget_minor"] is None
