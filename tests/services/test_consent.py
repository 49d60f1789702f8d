"""The history of consent: written with every change, exact at any past moment, on both engines."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import func, insert, select

from ma.analytics.consent import closed_channels, consent_at, consent_history
from ma.errors import InvalidInput
from ma.models import Campaign, ConsentChange, Customer, CustomerFact, OutboxEvent, Outcome
from ma.models.fact import LIFTED
from ma.services.consent import record_changes
from ma.services.customers import create_customer, import_customers, update_customer
from ma.types import SYSTEM, Actor, Role

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
HOUR, MOMENT = timedelta(hours=1), timedelta(microseconds=1)
MIA = Actor(username="mia", role=Role.MARKETER)
NOTHING = dict.fromkeys(("email", "sms", "push", "direct_mail", "ads"), False)


def at(database, customer_id, moment) -> dict[str, bool]:
    with database.reading() as session:
        return consent_at(session, customer_id, moment)


def test_consent_is_exact_at_every_moment_of_the_past(database):
    with database.writing() as session:
        person = create_customer(session, MIA, at=AT, first_name="Anna", consent_email=True)
    with database.writing() as session:
        update_customer(
            session, MIA, person, version=1, at=AT + HOUR, consent_email=False, consent_sms=True, city="Bonn"
        )
    with database.writing() as session:
        update_customer(session, MIA, person, version=2, at=AT + 2 * HOUR, consent_email=True)
    assert at(database, person, AT - MOMENT) == NOTHING
    assert at(database, person, AT) == NOTHING | {"email": True}
    assert at(database, person, AT + HOUR - MOMENT) == NOTHING | {"email": True}
    assert at(database, person, AT + HOUR) == NOTHING | {"sms": True}
    assert at(database, person, AT + 3 * HOUR) == NOTHING | {"email": True, "sms": True}
    with database.reading() as session:
        history = consent_history(session, customer_id=person, as_of=AT + HOUR)
        events = session.scalars(select(OutboxEvent.payload).where(OutboxEvent.type == "ConsentChanged"))
        assert list(events) == [
            {"customer_id": person, "allowed": ["sms"], "withdrawn": ["email"]},
            {"customer_id": person, "allowed": ["email"], "withdrawn": []},
        ]
    assert history[["channel", "allowed", "source", "actor"]].to_numpy().tolist() == [
        ["sms", True, "form", "mia"],
        ["email", False, "form", "mia"],
        ["email", True, "form", "mia"],
    ]


def test_an_update_that_leaves_consent_alone_writes_no_history(database):
    with database.writing() as session:
        person = create_customer(session, MIA, at=AT, first_name="Anna", consent_email=True)
        update_customer(session, MIA, person, version=1, at=AT + HOUR, consent_email=True, city="Bonn")
        assert session.scalar(select(func.count()).select_from(ConsentChange)) == 1


def test_an_import_writes_one_row_for_each_channel_allowed(database):
    frame = pd.DataFrame(
        {
            "first_name": ["A", "B", "C"],
            "consent_email": [True, False, True],
            "consent_push": [True, False, False],
        }
    )
    since = pd.Series(pd.to_datetime([AT - HOUR, AT, AT - 2 * HOUR], utc=True))
    with database.writing() as session:
        ids = import_customers(session, SYSTEM, frame, source="t", at=AT).tolist()
        others = import_customers(session, SYSTEM, frame, source="t", at=AT, consent_since=since).tolist()
    assert [at(database, person, AT) for person in ids] == [
        NOTHING | {"email": True, "push": True}, NOTHING, NOTHING | {"email": True},
    ]  # fmt: skip
    assert at(database, ids[0], AT - MOMENT) == NOTHING
    assert [at(database, person, AT - HOUR)["email"] for person in others] == [True, False, True]
    assert at(database, others[0], AT - HOUR - MOMENT) == NOTHING
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ConsentChange)) == 6


def test_the_history_ends_where_the_columns_are_now(database):
    """Whatever was done to somebody, the last history row of a channel is the customer's column."""
    with database.writing() as session:
        person = create_customer(session, MIA, at=AT, first_name="Anna", consent_push=True)
        for version, wanted in enumerate(({"consent_push": False}, {"consent_sms": True}), start=1):
            update_customer(session, MIA, person, version=version, at=AT + version * HOUR, **wanted)
        row = session.get(Customer, person)
        now = {channel: getattr(row, f"consent_{channel}") for channel in NOTHING}
    assert at(database, person, AT + 9 * HOUR) == now


def test_an_unknown_channel_is_refused_and_nothing_to_record_is_nothing(database):
    with database.writing() as session:
        person = create_customer(session, MIA, at=AT, first_name="Anna")
        wrong = pd.DataFrame({"customer_id": [person], "channel": ["fax"], "allowed": [True]})
        with pytest.raises(InvalidInput, match="Unknown channel 'fax'"):
            record_changes(session, MIA, wrong, at=AT, source="form")
        record_changes(session, MIA, wrong.iloc[:0], at=AT, source="form")
        assert session.scalar(select(func.count()).select_from(ConsentChange)) == 0


def test_a_channel_that_somebody_left_is_closed_whatever_they_allow(database):
    with database.writing() as session:
        person = create_customer(session, MIA, at=AT, first_name="Anna", consent_email=True)
        for number, steps in enumerate(({"unsubscribed_at": AT + HOUR}, {"bounced_at": AT}), start=1):
            session.execute(
                insert(Campaign).values(
                    id=number, name=f"C{number}", name_folded=f"c{number}", channel="email", status="running",
                    source="simulated", waves=1, holdout_share=0.0, conversion_window_days=7, steps="sent",
                    waves_sent=1, objective="", subject="", body="", created_by="x", created_at=AT,
                    updated_at=AT, version=1,
                )
            )  # fmt: skip
            session.execute(
                insert(Outcome).values(
                    campaign_id=number, customer_id=person, arm="treated", variant="a", wave=1,
                    source="simulated", assigned_at=AT, sent_at=AT, organic=False, revenue_minor=0, **steps,
                )
            )  # fmt: skip
        before = closed_channels(session, customer_id=person, as_of=AT - MOMENT)
        closed = closed_channels(session, customer_id=person, as_of=AT + 2 * HOUR)
    assert before.empty
    assert closed[["channel", "why", "campaign"]].to_numpy().tolist() == [["email", "bounced", "C2"]]
    assert closed["closed_at"].tolist() == [AT]
    with database.writing() as session:
        values = {"kind": LIFTED, "module": "service", "channel": "email", "at": AT + MOMENT}
        session.execute(insert(CustomerFact).values(customer_id=person, **values))
        # That something else was taken back lifts nothing.
        assert closed_channels(session, customer_id=person, as_of=AT + 2 * HOUR)["why"].tolist() == [
            "bounced"
        ]
        values["detail"] = "bounced"
        session.execute(insert(CustomerFact).values(customer_id=person, **values))
        closed = closed_channels(session, customer_id=person, as_of=AT + 2 * HOUR)
    # The bounce was lifted; what they said themselves stands.
    assert closed[["channel", "why", "campaign"]].to_numpy().tolist() == [["email", "unsubscribed", "C1"]]
