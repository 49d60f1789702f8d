"""Sales and Service in each of their states, for each role."""

from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import select, update

from ma import clock
from ma.events.messages import CustomerErased
from ma.models import Lead, SalesRep, Ticket
from ma.services.customers import import_customers
from ma.subscribers import leads as work
from ma.subscribers.loop import InProcess
from ma.types import SYSTEM
from tests.pages.test_campaign_screens import NASTY, labels, words
from tests.subscribers.bus_world import bought, outcomes, record, relay

ROLES = ("viewer", "analyst", "marketer", "admin")
WORKERS = ("marketer", "admin")


@pytest.fixture
def shop(workbench):
    """Three leads (of customers 1 to 3, the second one Bob's), two complaints, three bounces."""
    at = clock.now()
    frame = pd.DataFrame({"first_name": [NASTY, *[f"Ada{n}" for n in range(2, 10)]]})
    frame["email"] = [f"p{n}@example.com" for n in range(1, 10)]
    earlier = at - timedelta(hours=3)
    with workbench.writing() as session:
        ids = import_customers(session, SYSTEM, frame, source="test", at=at)
        assert ids.tolist() == list(range(1, 10))
    record(workbench, bought(1, at=earlier), outcomes("clicked", 2, 3, band=4, at=earlier), at=at)
    record(
        workbench, outcomes("complained", 4, 5, at=earlier), outcomes("bounced", 6, 7, 8, at=earlier), at=at
    )
    relay(workbench, InProcess(workbench))
    with workbench.writing() as session:
        work.add_rep(session, SYSTEM, name="Ann")
        work.add_rep(session, SYSTEM, name="Bob")
        session.execute(update(Lead).where(Lead.customer_id == 2).values(owner="Bob"))
    return workbench


def shown(test, label):
    return next(metric for metric in test.metric if metric.label == label)


def lead(database, lead_id):
    with database.reading() as session:
        return session.execute(select(Lead.__table__).where(Lead.id == lead_id)).one()


def ticket(database, ticket_id):
    with database.reading() as session:
        return session.execute(select(Ticket.__table__).where(Ticket.id == ticket_id)).one()


def test_nobody_signed_in_learns_nothing(shop, act_as, screen):
    act_as(None)
    for page, params in (("sales", {}), ("sales", {"id": "1"}), ("service", {}), ("service", {"id": "1"})):
        test = screen(page, **params)
        assert not test.exception
        assert "Your session has ended" in words(test)
        assert not [*test.metric, *test.dataframe, *test.button]


def test_an_empty_workspace_says_what_leads_tickets_and_suppressions_are(workbench, act_as, screen):
    for role in ("analyst", "marketer"):
        act_as(role)
        test = screen("sales")
        assert "No leads yet" in words(test)
        assert ("Sales team" in labels(test)) == (role in WORKERS)
    assert "No tickets yet" in words(screen("service"))
    assert "Nobody is suppressed" in words(screen("service", list="Suppressions"))


def test_every_role_reads_the_pipeline(shop, act_as, screen):
    for role in ROLES:
        act_as(role)
        test = screen("sales")
        assert not test.exception
        assert not test.error
        assert shown(test, "Open leads").value == "3"
        assert shown(test, "Worth of open leads").value == r"€10\.00"
        assert shown(test, "Win rate").value == "–"
        owners, leads = (table.value for table in test.dataframe)
        assert owners[["who", "open_leads"]].to_numpy().tolist() == [["Ann", 0], ["Bob", 1], ["Nobody", 2]]
        assert leads["customer"].tolist() == [NASTY, "Ada2", "Ada3"]
        assert leads["score"].tolist()[0] == 70


def test_the_address_says_which_leads(shop, act_as, screen):
    act_as("viewer")
    for params, customers in (
        ({"stage": "New", "owner": "Bob"}, 1), ({"owner": "Nobody", "page": "99"}, 2), ({"owner": "Who?"}, 3),
        ({"why": "Bought"}, 1),
    ):  # fmt: skip
        test = screen("sales", **params)
        assert not test.exception
        assert len(test.dataframe[1].value) == customers, params
    assert "No lead is like that" in words(screen("sales", stage="Won"))


def test_one_lead_says_why_it_has_its_score_and_only_workers_change_it(shop, act_as, screen):
    for role in ("viewer", "marketer"):
        act_as(role)
        test = screen("sales", id="1")
        assert not test.exception
        assert shown(test, "Score").value == "70 of 100"
        score, signals, history = (table.value for table in test.dataframe)
        assert score["points"].tolist() == [50, 0, 20]
        assert signals["revenue"].tolist() == [10]
        assert history["what"].tolist() == ["Opened: Bought"]
        assert ({"Won", "Lost", "Save note"} <= labels(test)) == (role in WORKERS)
        assert NASTY not in "".join(str(header.value) for header in test.header)


def test_a_lead_is_moved_given_to_somebody_noted_and_won(shop, act_as, screen):
    act_as("marketer")
    test = screen("sales", id="1")
    test.segmented_control(key="move-1-1").set_value("qualified").run()
    test.selectbox(key="assign-1-2").set_value("Ann").run()
    test.text_area(key="case-note-1-3-text").set_value("Calls back on Friday.")
    next(button for button in test.button if button.label == "Save note").click().run()
    assert not test.exception
    row = lead(shop, 1)
    assert (row.stage, row.owner, row.note, row.version) == ("qualified", "Ann", "Calls back on Friday.", 4)
    with shop.writing() as session:
        work.win_lead(session, SYSTEM, 1, value_minor=123_400, version=4, at=clock.now())
    test = screen("sales", id="1")
    history = test.dataframe[2].value["what"].tolist()
    assert history == [
        "Won: €1,234.00",
        "Note written",
        "Given to Ann",
        "Moved to Qualified",
        "Opened: Bought",
    ]
    assert not {"Won", "Lost"} & labels(test)
    assert "Calls back on Friday" in words(test)
    assert shown(screen("sales"), "Win rate").value == "100.0 %"


def test_who_comes_second_is_told_and_sees_the_lead_as_it_is(shop, act_as, screen):
    act_as("marketer")
    test = screen("sales", id="1")
    with shop.writing() as session:
        work.lose_lead(session, SYSTEM, 1, reason="no answer", version=1, at=clock.now())
    test.segmented_control(key="move-1-1").set_value("proposal").run()
    assert not test.exception
    assert "This lead is lost already" in words(test)
    assert lead(shop, 1).stage == "lost"


def test_an_address_of_nothing_says_so(shop, act_as, screen):
    act_as("viewer")
    for page, id_, said in (
        ("sales", "abc", "names no lead"),
        ("sales", "9" * 30, "names no lead"),
        ("service", "-1", "names no ticket"),
    ):
        test = screen(page, id=id_)
        assert said in words(test)
        assert any(label.startswith("All ") for label in labels(test))


def test_an_erased_person_leaves_a_lead_and_a_ticket_without_a_name(shop, act_as, screen):
    record(shop, CustomerErased(customer_id=1), CustomerErased(customer_id=4), at=clock.now())
    relay(shop, InProcess(shop))
    act_as("marketer")
    test = screen("sales", id="1")
    assert not test.exception
    assert test.header[0].value == "Erased"
    assert "no longer known" in words(test)
    test = screen("service", id="1")
    assert not test.exception
    assert "Erased" in words(test)


def test_every_role_reads_the_tickets(shop, act_as, screen):
    for role in ROLES:
        act_as(role)
        test = screen("service")
        assert not test.exception
        assert [shown(test, name).value for name in ("To do", "Late", "Closed", "Suppressed")] == [
            "3", "0", "0", "5",
        ]  # fmt: skip
        table = test.dataframe[0].value
        assert table["kind_name"].tolist() == ["Complaint", "Complaint", "Bounces"]
        assert table["who"].tolist() == ["Ada4", "Ada5", "3 people"]
    assert len(screen("service", reason="Bounces").dataframe[0].value) == 1
    assert "No ticket is like that" in words(screen("service", state="Closed"))


def test_a_ticket_is_taken_and_noted_by_workers_only(shop, act_as, screen):
    act_as("viewer")
    test = screen("service", id="1")
    assert not test.exception
    assert not {"Take it", "Close ticket", "Save note"} & labels(test)
    act_as("marketer")
    test = screen("service", id="1")
    next(button for button in test.button if button.key == "take-ticket").click().run()
    test.text_area(key="case-note-1-2-text").set_value("Called them.")
    next(button for button in test.button if button.label == "Save note").click().run()
    assert not test.exception
    row = ticket(shop, 1)
    assert (row.status, row.assignee, row.note) == ("in progress", "marketer", "Called them.")
    assert "Take it" not in labels(test)


def test_suppressions_are_listed_and_only_workers_choose_among_them(shop, act_as, screen):
    for role in ("viewer", "marketer"):
        act_as(role)
        test = screen("service", list="Suppressions")
        assert not test.exception
        assert [shown(test, name).value for name in ("Suppressed", "Bounced", "Complained")] == [
            "5",
            "3",
            "2",
        ]
        assert len(test.dataframe[0].value) == 5
        assert ("select a row to lift" in words(test)) == (role in WORKERS)
    assert len(screen("service", list="Suppressions", because="Bounced").dataframe[0].value) == 3
    empty = screen("service", list="Suppressions", because="Unsubscribed")
    assert "Nobody is suppressed for that reason" in words(empty)


def test_the_sales_team_is_read_where_leads_are_given_to_people(shop, act_as, screen):
    act_as("marketer")
    with shop.reading() as session:
        assert session.scalars(select(SalesRep.name).order_by(SalesRep.name)).all() == ["Ann", "Bob"]
    test = screen("sales", id="2")
    assert test.selectbox(key="assign-2-1").options == ["Nobody", "Ann", "Bob"]
    assert test.selectbox(key="assign-2-1").value == "Bob"


def test_leads_of_nobody_are_shared_out_at_a_click(shop, act_as, screen):
    act_as("viewer")
    assert not [button for button in screen("sales").button if button.key == "share-out"]
    act_as("marketer")
    test = screen("sales")
    next(button for button in test.button if button.key == "share-out").click().run()
    assert not test.exception
    assert [lead(shop, i).owner for i in (1, 2, 3)].count("Ann") == 2
    assert not [button for button in test.button if button.key == "share-out"]
