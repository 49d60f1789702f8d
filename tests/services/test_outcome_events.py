"""Other modules are told what people did: everything, once, when it has happened, and of nobody held out."""

import pandas as pd
import pytest
from sqlalchemy import select, text

from ma import worker
from ma.models import Customer, OutboxEvent, Outcome, OutcomePublication
from ma.services import outcome_events
from ma.services.campaign_imports import import_campaign
from ma.services.erasing import erase_customers
from ma.services.launches import launch_campaign
from ma.types import SYSTEM, Channel
from tests.services import campaign_world as world
from tests.services import outcome_world as files
from tests.services.campaign_world import NOW, days, draft
from tests.services.import_world import bring_in, take_back

STEPS = ("bounced", "clicked", "converted", "unsubscribed", "complained")


@pytest.fixture
def launched(database):
    """An e-mail campaign in two waves to 1,500 people, a fifth of them held out; the first wave is sent."""
    with database.writing() as session:
        world.build(session, 1_500)
        campaign_id = draft(session, channel=Channel.EMAIL, waves=2, holdout_share=0.2)
        launch_campaign(session, SYSTEM, campaign_id, at=NOW, seed=1)
    return campaign_id


def told(database):
    """(campaign, step, customer, time) of everything that was told, in order."""
    query = select(OutboxEvent.payload).where(OutboxEvent.type == "OutcomesRecorded").order_by(OutboxEvent.id)
    with database.reading() as session:
        payloads = session.scalars(query).all()
    assert max((len(p["outcomes"]) for p in payloads), default=0) <= 200
    return [
        (p["campaign_id"], p["step"], o["customer_id"], pd.Timestamp(o["at"]).to_pydatetime())
        for p in payloads
        for o in p["outcomes"]
    ]


def happened(database, campaign_id, at):
    """The same from the outcomes themselves."""
    with database.reading() as session:
        frame = world.outcomes(session, campaign_id)
    treated = frame[frame["arm"] == "treated"]
    return {
        (campaign_id, step, int(row.customer_id), getattr(row, f"{step}_at").to_pydatetime())
        for step in STEPS
        for row in treated[treated[f"{step}_at"] <= at].itertuples()
    }


def test_what_has_happened_is_told_once_and_the_future_is_not(database, launched):
    seen = 0
    for at in (NOW, NOW + days(0.1), NOW + days(0.5), NOW + days(0.5), NOW + days(2)):
        worker.tell_outcomes(database, at=at)
        found = told(database)
        assert set(found) == happened(database, launched, at)
        assert len(found) == len(set(found)) >= seen
        seen = len(found)
    assert {"bounced", "clicked", "converted"} <= {step for _, step, _, _ in found}
    assert seen > 12


def test_a_second_wave_that_is_sent_late_is_told_of_in_full(database, launched):
    late = NOW + days(20)
    worker.tell_outcomes(database, at=late)
    before = set(told(database))
    # Its time was a week after the first: what people did then lies long before the last telling.
    assert worker.tick(database, at=late)[0].kind == "wave"
    worker.tell_outcomes(database, at=late + days(1))
    found = told(database)
    assert set(found) == happened(database, launched, late + days(1)) > before
    assert len(found) == len(set(found))


def test_a_wave_of_which_all_is_told_is_not_looked_at_again(database, launched):
    assert worker.tell_outcomes(database, at=NOW + days(200)) > 0
    with database.reading() as session:
        assert outcome_events._open_waves(session) == []


def test_much_is_told_in_parts_and_in_the_order_of_time(database, launched, monkeypatch):
    monkeypatch.setattr(outcome_events, "MOST", 4)
    at = NOW + days(30)
    steps = worker.tell_outcomes(database, at=at)
    found = told(database)
    assert len(found) == len(set(found)) == steps
    assert set(found) == happened(database, launched, at)
    clicks = [when for _, step, _, when in found if step == "clicked"]
    assert clicks == sorted(clicks)
    assert len(clicks) > 7


def test_two_workers_at_once_tell_it_once(database, launched):
    at = NOW + days(3)
    with database.reading() as session:
        [first] = outcome_events.prepare(session, at=at)
        [second] = outcome_events.prepare(session, at=at)
    assert worker._tell(database, first, at) == first.steps > 0
    assert worker._tell(database, second, at) == 0
    with database.reading() as session:
        [third] = outcome_events.prepare(session, at=at + days(3))
        [fourth] = outcome_events.prepare(session, at=at + days(3))
    assert [worker._tell(database, one, at) for one in (third, fourth)] == [third.steps, 0]
    assert set(told(database)) == happened(database, launched, at + days(3))


def test_nothing_to_tell_writes_nothing(database, launched):
    assert worker.tell_outcomes(database, at=NOW) == 0
    with database.reading() as session:
        assert session.scalars(select(OutcomePublication)).all() == []


def test_nobody_who_was_erased_is_told_of(database, launched, monkeypatch):
    monkeypatch.setenv("MA_SECRET", "s" * 40)
    with database.writing() as session:
        gone = select(Customer.id).where(Customer.id <= 700)
        erase_customers(session, SYSTEM, gone, at=NOW)
    worker.tell_outcomes(database, at=NOW + days(30))
    assert min(customer_id for _, _, customer_id, _ in told(database)) > 700


def test_engagement_and_revenue_come_along(database, launched):
    worker.tell_outcomes(database, at=NOW + days(30))
    with database.reading() as session:
        rows = session.execute(select(Outcome.customer_id, Outcome.band, Outcome.revenue_minor)).all()
        query = select(OutboxEvent.payload).where(OutboxEvent.type == "OutcomesRecorded")
        payloads = session.scalars(query).all()
    known = {row.customer_id: row for row in rows}
    for payload in payloads:
        for outcome in payload["outcomes"]:
            row = known[outcome["customer_id"]]
            assert outcome["engagement_band"] == row.band
            expected = row.revenue_minor if payload["step"] == "converted" else None
            assert outcome["revenue_minor"] == expected


def withdrawn(database):
    query = (
        select(OutboxEvent.payload).where(OutboxEvent.type == "OutcomesWithdrawn").order_by(OutboxEvent.id)
    )
    with database.reading() as session:
        return [(p["step"], p["customer_ids"]) for p in session.scalars(query)]


def test_a_second_file_tells_what_it_adds_and_taking_it_back_takes_that_back(database):
    files.ten_people(database)
    bring_in(database, "outcomes", files.MAIL, "email")
    first = [(step, customer_id) for _, step, customer_id, _ in told(database)]
    assert first == [
        ("bounced", 3), ("clicked", 1), ("converted", 1), ("unsubscribed", 2),
    ]  # fmt: skip
    more = files.changed(
        clicked_at=["2026-02-01 12:05", None, None, "2026-02-01 18:00"],
        complained_at=[None, "2026-02-02 09:00", None, None],
    )
    done = bring_in(database, "outcomes", more, "email")
    added = [(step, customer_id) for _, step, customer_id, _ in told(database)][len(first) :]
    assert added == [("clicked", 4), ("complained", 2)]
    take_back(database, done.import_id)
    assert withdrawn(database) == [("clicked", [4]), ("complained", [2])]


def test_taking_back_a_whole_campaign_takes_back_all_it_told(database):
    files.ten_people(database)
    done = bring_in(database, "outcomes", files.MAIL, "email")
    take_back(database, done.import_id)
    assert withdrawn(database) == [
        ("bounced", [3]), ("clicked", [1]), ("converted", [1]), ("unsubscribed", [2]),
    ]  # fmt: skip


def test_what_an_import_brings_is_told_with_it(database):
    with database.writing() as session:
        world.build(session, 5)
        frame = pd.DataFrame({"customer_id": [1, 2, 3]}).assign(
            sent_at=pd.Timestamp(NOW - days(20)),
            converted_at=pd.Series([NOW - days(19), None, NOW - days(18)], dtype="datetime64[us, UTC]"),
            revenue_minor=[500, 0, 700],
        )
        campaign_id = import_campaign(
            session,
            SYSTEM,
            name="Leaflet",
            channel=Channel.DIRECT_MAIL,
            started_at=NOW - days(20),
            ended_at=NOW - days(10),
            outcomes=frame,
            at=NOW,
        )
    assert told(database) == [
        (campaign_id, "converted", 1, NOW - days(19)),
        (campaign_id, "converted", 3, NOW - days(18)),
    ]
    assert worker.tell_outcomes(database, at=NOW) == 0


def test_sqlite_finds_what_is_due_by_an_index(sqlite_url):
    from ma.db.engine import connect

    database = connect(sqlite_url)
    with database.reading() as session:
        for step in STEPS:
            query = select(Outcome.customer_id).where(
                *outcome_events._between(1, 1, step, NOW, NOW + days(1))
            )
            compiled = query.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
            plan = session.execute(text(f"EXPLAIN QUERY PLAN {compiled}".replace("ma.outcome", "outcome")))
            assert f"ix_outcome_{step}" in " ".join(row[-1] for row in plan), step
    database.close()
