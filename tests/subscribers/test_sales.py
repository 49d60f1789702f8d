"""What Sales makes of events, and what its people do: leads, their score, their owner, won and lost."""

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from ma.errors import Conflict, InvalidInput, NotAllowed, NotFound
from ma.events.messages import CustomerDeleted, CustomerErased, CustomersMerged, OutcomesWithdrawn
from ma.models import Lead, LeadChange, SalesOutbox, SalesRep, SalesSignal
from ma.subscribers import leads as work
from ma.subscribers.inbox import Happened
from ma.subscribers.sales import HANDLERS
from ma.types import SYSTEM, Actor, Role
from tests.subscribers.bus_world import AT, HOUR, bought, leads, outcomes

MIA = Actor("mia", Role.MARKETER)
DAY = timedelta(days=1)


def tell(session, *events, at=AT):
    for number, event in enumerate(events):
        HANDLERS[type(event).__name__](session, [Happened(f"e{number}", at, event)])


def told(database, *events, at=AT):
    with database.writing() as session:
        tell(session, *events, at=at)
    return leads(database)


def one_lead(database, customer_id=1):
    with database.reading() as session:
        query = select(Lead).where(Lead.customer_id == customer_id).order_by(Lead.id.desc()).limit(1)
        return session.scalar(query)


def recorded(database):
    with database.reading() as session:
        query = select(SalesOutbox.type, SalesOutbox.payload).order_by(SalesOutbox.id)
        return [(row.type, row.payload) for row in session.execute(query)]


def test_a_conversion_makes_a_lead_and_so_does_a_hot_click(database):
    found = told(database, bought(1, band=2), outcomes("clicked", 2, band=3), outcomes("clicked", 3, band=2))
    assert found == [(1, 1, "conversion", 60, 1000), (2, 1, "hot_click", 25, None)]
    [(type_, payload)] = recorded(database)[:1]
    assert type_ == "LeadsOpened"
    assert [(one["customer_id"], one["reason"], one["score"]) for one in payload["leads"]] == [
        (1, "conversion", 60)
    ]


def test_nobody_calls_because_of_what_is_long_ago(database):
    old_click = outcomes("clicked", 1, at=AT - 8 * DAY)
    old_purchase = bought(2, at=AT - 31 * DAY)
    young = (outcomes("clicked", 3, at=AT - 6 * DAY), bought(4, at=AT - 29 * DAY))
    assert [lead[0] for lead in told(database, old_click, old_purchase, *young)] == [3, 4]


def test_other_steps_are_none_of_sales_business(database):
    assert told(database, outcomes("bounced", 1), outcomes("complained", 2)) == []


def test_a_person_has_one_open_lead_that_grows_with_their_signals(database):
    clicks = [outcomes("clicked", 1, campaign_id=i, band=3) for i in (1, 2, 3, 4)]
    assert told(database, clicks[0]) == [(1, 1, "hot_click", 25, None)]
    # Three clicks count, a fourth does not.
    assert told(database, *clicks) == [(1, 1, "hot_click", 45, None)]
    assert told(database, bought(1, campaign_id=2, band=4)) == [(1, 2, "conversion", 100, 1000)]
    assert len(recorded(database)) == 1


def test_new_leads_go_to_whoever_has_the_fewest(database):
    with database.writing() as session:
        session.execute(insert(SalesRep), [{"name": n, "active": n != "Zed"} for n in ("Ann", "Bob", "Zed")])
    told(database, outcomes("converted", *range(1, 6)))
    with database.writing() as session:
        # Ann has three, Bob two: he gets the next.
        tell(session, bought(6))
        query = select(Lead.owner, func.count()).group_by(Lead.owner).order_by(Lead.owner)
        assert session.execute(query).all() == [("Ann", 3), ("Bob", 3)]


def test_without_anybody_in_sales_a_lead_is_nobodys(database):
    told(database, bought(1))
    assert one_lead(database).owner is None


def test_a_lead_goes_through_its_stages_and_is_won_once(database):
    told(database, bought(1))
    with database.writing() as session:
        rep = work.add_rep(session, MIA, name="  Ann   Lee ")
        assert work.add_rep(session, MIA, name="Ann Lee") == rep
        lead_id = session.scalar(select(Lead.id))
        work.assign_lead(session, MIA, lead_id, owner="Ann Lee", version=1, at=AT)
        work.move_lead(session, MIA, lead_id, stage="qualified", version=2, at=AT + HOUR)
        work.note_lead(session, MIA, lead_id, note=" Wants two. ", version=3, at=AT + HOUR)
        work.win_lead(session, MIA, lead_id, value_minor=5_000, version=4, at=AT + 2 * HOUR)
    lead = one_lead(database)
    assert (lead.stage, lead.owner, lead.note, lead.value_minor) == ("won", "Ann Lee", "Wants two.", 5_000)
    assert (lead.closed_at, lead.version) == (AT + 2 * HOUR, 5)
    assert recorded(database)[-1] == (
        "LeadWon",
        {"lead_id": lead.id, "customer_id": 1, "campaign_id": 1, "value_minor": 5_000},
    )
    with database.reading() as session:
        actions = session.scalars(select(LeadChange.action).order_by(LeadChange.id)).all()
    assert actions == ["open", "assign", "move", "note", "won"]
    with database.writing() as session, pytest.raises(Conflict, match="won already"):
        work.lose_lead(session, MIA, lead.id, reason="not now", version=5, at=AT + 3 * HOUR)


def test_after_a_lead_is_closed_only_what_comes_later_makes_another_one(database):
    told(database, bought(1))
    with database.writing() as session:
        lead_id = session.scalar(select(Lead.id))
        work.lose_lead(session, MIA, lead_id, reason="not now", version=1, at=AT)
    assert told(database, outcomes("clicked", 1, campaign_id=2, at=AT - HOUR), at=AT + HOUR) == []
    later = outcomes("clicked", 1, campaign_id=3, at=AT + HOUR)
    assert told(database, later, at=AT + HOUR) == [(1, 3, "hot_click", 30, None)]
    assert [type_ for type_, _ in recorded(database)] == ["LeadsOpened", "LeadLost", "LeadsOpened"]


def test_two_people_who_change_one_lead_do_not_overwrite_each_other(database):
    told(database, bought(1))
    with database.writing() as session:
        lead_id = session.scalar(select(Lead.id))
        work.move_lead(session, MIA, lead_id, stage="contacted", version=1, at=AT)
        with pytest.raises(Conflict, match="Somebody else changed this lead"):
            work.move_lead(session, MIA, lead_id, stage="proposal", version=1, at=AT)
    assert one_lead(database).stage == "contacted"


def test_what_cannot_be_is_refused_with_its_remedy(sqlite_url):
    from ma.db.engine import connect

    database = connect(sqlite_url)
    told(database, bought(1))
    with database.writing() as session:
        lead_id = session.scalar(select(Lead.id))
        of = {"version": 1, "at": AT}
        for wrong in (
            lambda: work.move_lead(session, MIA, lead_id, stage="won", **of),
            lambda: work.assign_lead(session, MIA, lead_id, owner="Nobody", **of),
            lambda: work.win_lead(session, MIA, lead_id, value_minor=-1, **of),
            lambda: work.lose_lead(session, MIA, lead_id, reason="because", **of),
            lambda: work.note_lead(session, MIA, lead_id, note="x" * 2_001, **of),
            lambda: work.add_rep(session, MIA, name=" "),
        ):
            with pytest.raises(InvalidInput):
                wrong()
        with pytest.raises(NotFound):
            work.move_lead(session, MIA, 99, stage="contacted", **of)
        with pytest.raises(NotFound):
            work.retire_rep(session, MIA, rep_id=9)
        with pytest.raises(NotAllowed):
            work.win_lead(session, Actor("vera", Role.VIEWER), lead_id, value_minor=1, **of)
    assert one_lead(database).version == 1
    database.close()


def test_merged_customers_have_one_lead_of_both_their_signals(database):
    events = (outcomes("clicked", 1), bought(2, campaign_id=2), CustomersMerged(customer_id=1, merged_id=2))
    assert told(database, *events) == [(1, 2, "conversion", 80, 1000)]
    # What is told of the hidden record counts for the one that was kept.
    assert told(database, outcomes("clicked", 2, campaign_id=3)) == [(1, 2, "conversion", 90, 1000)]


def test_nobody_works_on_leads_of_a_deleted_customer(database):
    assert told(database, bought(1), CustomerDeleted(customer_id=1), bought(1, campaign_id=2)) == []
    assert one_lead(database).lost_reason == "customer left"


def test_an_erased_customer_leaves_a_lead_without_a_person(database):
    told(database, bought(1))
    with database.writing() as session:
        lead_id = session.scalar(select(Lead.id))
        work.note_lead(session, MIA, lead_id, note="Anna likes tea", version=1, at=AT)
        tell(session, CustomerErased(customer_id=1), bought(1, campaign_id=2))
        lead = session.scalars(select(Lead)).one()
        assert (lead.customer_id, lead.note, lead.stage, lead.value_minor) == (None, None, "lost", 1_000)
        assert session.scalar(select(func.count()).select_from(SalesSignal)) == 0


def test_a_rep_who_is_retired_gets_nothing_new(database):
    with database.writing() as session:
        rep = work.add_rep(session, MIA, name="Ann")
        tell(session, bought(1))
        work.retire_rep(session, SYSTEM, rep_id=rep)
        tell(session, bought(2))
    assert [one_lead(database, i).owner for i in (1, 2)] == ["Ann", None]


def withdrawn(step, *customer_ids, campaign_id=1):
    return OutcomesWithdrawn(
        campaign_id=campaign_id, channel="email", step=step, customer_ids=list(customer_ids)
    )


def test_what_was_withdrawn_makes_no_lead_and_what_is_told_again_does(database):
    told(database, bought(1), outcomes("clicked", 1))
    assert told(database, withdrawn("converted", 1), at=AT + HOUR) == [(1, 1, "hot_click", 30, None)]
    assert told(database, withdrawn("clicked", 1), at=AT + HOUR) == []
    assert one_lead(database).lost_reason == "withdrawn"
    assert recorded(database)[-1][0] == "LeadLost"
    assert told(database, bought(1), at=AT + 2 * HOUR) == [(1, 1, "conversion", 70, 1000)]


def test_a_withdrawal_that_comes_before_what_it_withdraws_still_holds(database):
    assert told(database, withdrawn("converted", 1), at=AT + HOUR) == []
    assert told(database, bought(1), at=AT) == []


def test_leads_of_nobody_are_shared_out_to_whoever_has_the_fewest(database):
    told(database, bought(1), bought(2), bought(3), outcomes("clicked", 4))
    with pytest.raises(Conflict), database.writing() as session:
        work.share_out(session, MIA, at=AT)
    with database.writing() as session:
        work.add_rep(session, MIA, name="Ann")
        work.add_rep(session, MIA, name="Bob")
        work.assign_lead(session, MIA, 1, owner="Ann", version=1, at=AT)
        work.lose_lead(session, MIA, 4, reason="not now", version=1, at=AT)
    with pytest.raises(NotAllowed), database.writing() as session:
        work.share_out(session, Actor("vic", Role.VIEWER), at=AT)
    with database.writing() as session:
        assert work.share_out(session, MIA, at=AT) == 2
        assert work.share_out(session, MIA, at=AT) == 0
    assert [one_lead(database, i).owner for i in (1, 2, 3, 4)] == ["Ann", "Bob", "Ann", None]
    assert [one_lead(database, i).version for i in (1, 2, 3, 4)] == [2, 2, 2, 2]
    with database.reading() as session:
        given = select(LeadChange.lead_id, LeadChange.detail).where(LeadChange.action == "assign")
        assert sorted(tuple(row) for row in session.execute(given)) == [(1, "Ann"), (2, "Bob"), (3, "Ann")]
    with pytest.raises(Conflict), database.writing() as session:
        work.note_lead(session, MIA, 2, note="Late.", version=1, at=AT)
