"""Activity in each of its states, for each role."""

from datetime import timedelta

import pytest
from sqlalchemy import insert, select, update

from ma import clock
from ma.events.modules import MODULES
from ma.models import Audit, OutboxEvent, SalesDeadLetter, SalesInbox
from ma.services.audit import audit
from ma.subscribers.loop import InProcess
from ma.types import Actor, Role
from tests.pages.test_campaign_screens import NASTY, labels, words
from tests.subscribers.bus_world import bought, record, relay

ROLES = ("viewer", "analyst", "marketer", "admin")
VIEWS = ("Events", "Failed events", "Audit log")
EVENT = "00000000-0000-4000-8000-000000000001"


@pytest.fixture
def busy(workbench):
    """Two events that went round, one that waits, and one that Sales could not act on."""
    at = clock.now()
    record(workbench, bought(1, at=at), at=at)
    relay(workbench, InProcess(workbench))
    record(workbench, bought(2, at=at), at=at)
    with workbench.writing() as session:
        letter = {"event_id": EVENT, "source": "ma", "type": "OutcomesRecorded", "version": 9, "payload": {}}
        session.execute(
            insert(MODULES["sales"].dead_letters).values(
                **letter,
                occurred_at=at,
                attempts=5,
                failed_at=at,
                error=f"Unreadable: {NASTY} (reference 1a2b)",
            )
        )
    return workbench


def shown(test, label):
    return next(metric for metric in test.metric if metric.label == label)


def press(test, key):
    return next(button for button in test.button if button.key == key).click().run()


def test_nobody_signed_in_learns_nothing(busy, act_as, screen):
    act_as(None)
    for view in VIEWS:
        test = screen("activity", activity=view)
        assert not test.exception
        assert "Your session has ended" in words(test)
        assert not [*test.metric, *test.dataframe, *test.button]


def test_an_empty_workspace_is_explained(workbench, act_as, screen):
    act_as("viewer")
    test = screen("activity")
    assert not test.exception
    assert "nothing waits" in [metric.delta for metric in test.metric]
    assert "No event has failed" in words(screen("activity", activity="Failed events"))
    assert not screen("activity", activity="Audit log").exception


def test_every_role_sees_what_waits_who_is_behind_and_the_latest_events(busy, act_as, screen):
    for role in ROLES:
        act_as(role)
        test = screen("activity")
        assert not test.exception
        assert not test.error
        assert shown(test, "Waiting to be sent").value == "1"
        assert shown(test, "Not acted on yet").value == "1"
        assert shown(test, "Failed for good").value == "1"
        subscribers, feed = (table.value for table in test.dataframe)
        behind = dict(zip(subscribers["name"], subscribers["behind"], strict=True))
        assert behind == {"Marketing": 0, "Sales": 1, "Service": 1, "Webhooks": 0}
        assert feed["how"].tolist()[0] == "Waiting"
        assert set(feed["what"]) == {"Outcomes recorded", "Leads opened"}
        assert "inside this app" in words(test)


def test_the_feed_keeps_the_types_that_are_chosen(busy, act_as, screen):
    act_as("viewer")
    test = screen("activity")
    test.multiselect(key="types").set_value(["LeadsOpened"]).run()
    assert test.dataframe[1].value["what"].tolist() == ["Leads opened"]
    test.multiselect(key="types").set_value(["TicketClosed"]).run()
    assert "No event of these types" in words(test)


def test_events_that_cannot_be_sent_are_told_with_the_reason(busy, act_as, screen):
    act_as("viewer")
    with busy.writing() as session:
        session.execute(
            update(OutboxEvent)
            .where(OutboxEvent.sent_at.is_(None))
            .values(
                attempts=4, last_error="Redis did not answer.", recorded_at=clock.now() - timedelta(hours=5)
            )
        )
    test = screen("activity")
    assert "1 events could not be sent yet" in test.warning[0].value
    assert r"Redis did not answer\." in test.warning[0].value
    assert shown(test, "Waiting to be sent").delta == "the oldest for 5 h"


def test_only_an_admin_decides_about_failed_events(busy, act_as, screen):
    for role in ("marketer", "admin"):
        act_as(role)
        test = screen("activity", activity="Failed events")
        assert not test.exception
        assert len(test.dataframe[0].value) == 1
        assert ("Try all of Sales again" in labels(test)) == (role == "admin")
    press(screen("activity", activity="Failed events"), "retry-all-sales")
    with busy.reading() as session:
        letter = session.execute(select(SalesDeadLetter.__table__)).one()
        entry = session.scalars(select(Audit).where(Audit.noun == "event")).one()
    assert (letter.attempts, letter.retry_at is not None) == (0, True)
    assert (entry.actor, entry.action, entry.detail) == ("admin", "retry", {"module": "sales", "events": 1})


def chosen(test, rows):
    test.session_state[f"failed-events-1-{EVENT}"] = {"selection": {"rows": rows, "columns": [], "cells": []}}
    return test.run()


def test_one_failed_event_shows_its_error_and_is_tried_again(busy, act_as, screen):
    act_as("admin")
    test = chosen(screen("activity", activity="Failed events"), [0])
    assert not test.exception
    assert any(NASTY in text.value for text in test.text)
    assert {"Try again", "Give up"} <= labels(test)
    press(test, "retry-event")
    with busy.reading() as session:
        assert session.scalar(select(SalesDeadLetter.retry_at)) is not None
        assert session.scalar(select(SalesInbox.event_id).where(SalesInbox.event_id == EVENT)) is None


def test_the_audit_log_is_filtered_by_the_address(busy, act_as, screen):
    at = clock.now()
    with busy.writing() as session:
        for number in range(120):
            audit(session, Actor("mia", Role.MARKETER), "update", "customer", number, at=at, fields=["email"])
        audit(session, Actor("ann", Role.ADMIN), "erase", "customer", NASTY, at=at - timedelta(days=100))
    act_as("viewer")
    test = screen("activity", activity="Audit log", actor="mia")
    assert not test.exception
    assert len(test.dataframe[0].value) == 100
    assert "120 entries" in words(test)
    assert len(screen("activity", activity="Audit log", actor="mia", page="2").dataframe[0].value) == 20
    assert len(screen("activity", activity="Audit log", object="7").dataframe[0].value) == 1
    assert "Nothing like that" in words(screen("activity", activity="Audit log", actor="ann"))
    old = screen("activity", activity="Audit log", actor="ann", since="All time")
    assert old.dataframe[0].value["object_id"].tolist() == [NASTY]
    assert not screen("activity", activity="nonsense", since="²").exception
