"""One customer's screen: every tab, for each role, and what is changed where it stands."""

import pandas as pd
import pytest
from sqlalchemy import select

from ma import clock
from ma.analytics.tags import customer_tags
from ma.models import Note
from ma.services.attributes import define_attribute, set_values
from ma.services.customers import create_customer, import_customers
from ma.services.facts import import_behaviour, import_purchases
from ma.services.notes import add_note
from ma.services.profiles import rebuild_profiles
from ma.services.tags import tag_customer
from ma.types import SYSTEM, Actor, Role

NASTY = "**x** <b>y</b> ![i](//e.te/i) $z$ :material/home:"
TABS = ["overview", "timeline", "purchases", "messages", "notes"]
TOM = Actor(username="tom", role=Role.MARKETER)


@pytest.fixture
def anna(workbench) -> int:
    """Somebody who bought twice, looked at two pages, has two tags, three fields and two notes."""
    at = clock.now()
    when = pd.to_datetime([pd.Timestamp(at) - pd.Timedelta(days=days) for days in (40, 3)], utc=True)
    with workbench.writing() as session:
        frame = pd.DataFrame({"first_name": ["Anna"], "consent_email": [True]})
        [person] = import_customers(session, SYSTEM, frame, source="test", at=at)
        orders = pd.DataFrame(
            {"external_key": ["A", "B"], "customer_id": person, "kind": "sale", "at": when,
             "amount_minor": [123456, 1000]}
        )  # fmt: skip
        lines = pd.DataFrame(
            {"external_key": ["A", "B"], "category": ["Wine", None], "quantity": 2,
             "amount_minor": [123456, 1000]}
        )  # fmt: skip
        import_purchases(session, SYSTEM, orders, lines, source="test", at=at)
        visits = pd.DataFrame({"customer_id": person, "kind": "visit", "at": when, "page": "cart"})
        import_behaviour(session, SYSTEM, visits, source="test", at=at)
        rebuild_profiles(session, as_of=at)
        for name in ("VIP", NASTY):
            tag_customer(session, SYSTEM, int(person), name, at=at)
        level = define_attribute(
            session, SYSTEM, name="Level", kind="text", choices=["Gold", "Silver"], at=at
        )
        points = define_attribute(session, SYSTEM, name="Points", kind="number", at=at)
        define_attribute(session, SYSTEM, name="Interests", kind="list", at=at)
        set_values(session, SYSTEM, int(person), {level: "Gold", points: 12.5}, at=at)
        add_note(session, TOM, int(person), f"Called.\n{NASTY}", at=at)
    return int(person)


def said(test) -> str:
    """Everything the screen says, tables included."""
    kinds = ("title", "header", "markdown", "caption", "info", "error", "warning")
    texts = [str(element.value) for kind in kinds for element in getattr(test, kind)]
    tables = [table.value.to_csv() for table in [*test.dataframe, *test.table]]
    return "\n".join(texts + tables)


def labels(test) -> set[str]:
    return {button.label for button in test.button}


@pytest.mark.parametrize("role", ["viewer", "marketer"])
@pytest.mark.parametrize("tab", TABS)
def test_every_tab_opens_for_readers_and_editors(anna, act_as, screen, role, tab):
    act_as(role)
    test = screen("customers", id=str(anna), tab=tab)
    assert not test.exception
    metrics = {metric.label: metric.value.replace("\\", "") for metric in test.metric}
    assert metrics == {
        "Lifetime value": "€1.24k", "Orders": "2", "Web visits": "2",
        "Engagement score": metrics["Engagement score"],
    }  # fmt: skip
    editing = {"Edit", "Delete"} if tab != "notes" else {"Edit", "Delete", "Add note"}
    assert (editing <= labels(test)) is (role == "marketer")
    for formatting in ("**x**", "<b>", "![i]", "$z$", ":material/home"):
        assert formatting not in "\n".join(str(element.value) for element in test.markdown)


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_of_a_bare_customer_says_what_will_be_there(workbench, act_as, screen, tab):
    with workbench.writing() as session:
        bare = create_customer(session, SYSTEM, at=clock.now(), email="a@example.com")
    act_as("viewer")
    test = screen("customers", id=str(bare), tab=tab)
    assert not test.exception
    expected = {"overview": "No orders yet", "timeline": "Nothing here yet", "purchases": "No orders yet",
                "messages": "sent no message yet", "notes": "No notes yet"}  # fmt: skip
    assert expected[tab] in said(test)


def test_a_tab_that_is_none_is_the_overview(anna, act_as, screen):
    act_as("viewer")
    assert "Spending by month" in said(screen("customers", id=str(anna), tab="secrets"))


def test_the_timeline_shows_one_kind_only(anna, act_as, screen):
    act_as("viewer")
    test = screen("customers", id=str(anna), tab="timeline")
    assert set(test.dataframe[0].value["kind"]) == {"Purchase", "Web visit", "Consent", "Note"}
    test.button_group(key="story").set_value(["Web visits", "Consent"]).run()
    assert not test.exception
    assert set(test.dataframe[0].value["kind"]) == {"Web visit", "Consent"}
    test.button_group(key="story").set_value(["Messages"]).run()
    assert "Nothing here yet." in said(test)


def test_an_order_that_is_ticked_opens(anna, act_as, screen):
    act_as("viewer")
    test = screen("customers", id=str(anna), tab="purchases")
    assert "Tick an order" in said(test)
    test.session_state[f"purchases-table-{anna}-1"] = {"selection": {"rows": [1], "columns": []}}
    test.run()
    assert not test.exception
    assert "Order A" in said(test)
    assert test.dataframe[1].value["category"].tolist() == ["Wine"]


def test_consent_says_since_when_and_from_where(anna, act_as, screen):
    act_as("viewer")
    text = said(screen("customers", id=str(anna))).replace("\\", "")
    assert "**E-mail allowed**" in text
    assert "import, system" in text


def test_tags_are_put_on_and_taken_off_where_they_stand(anna, workbench, act_as, screen):
    act_as("marketer")
    test = screen("customers", id=str(anna))

    def held() -> set[str]:
        with workbench.reading() as session:
            return set(customer_tags(session, customer_id=anna, as_of=clock.now())["name"])

    field = f"customer-tags-{anna}"
    assert set(test.multiselect(key=field).value) == {"VIP", NASTY}
    test.multiselect(key=field).unselect("VIP").run()
    assert not test.exception
    assert held() == {NASTY}
    assert test.multiselect(key=field).value == [NASTY]


def test_a_reader_sees_tags_and_fields_but_cannot_change_them(anna, act_as, screen):
    act_as("analyst")
    test = screen("customers", id=str(anna))
    assert not test.multiselect
    text = said(test).replace("\\", "")
    assert "VIP" in text
    assert "Gold" in text
    assert "12.5" in text
    assert not labels(test) & {"Manage fields", "Fill in"}


def test_a_note_is_added_and_shown_and_an_empty_one_is_refused(anna, workbench, act_as, screen):
    act_as("marketer")
    test = screen("customers", id=str(anna), tab="notes")
    # Tom's note is his own: a colleague has no buttons for it.
    assert not [button for button in test.button if (button.key or "").startswith("edit-note")]
    test.text_area[0].set_value("Prefers the afternoon.")
    next(button for button in test.button if button.label == "Add note").click().run()
    assert not test.exception
    assert "Prefers the afternoon" in said(test).replace("\\", "")
    next(button for button in test.button if button.label == "Add note").click().run()
    assert "a note cannot be empty" in said(test).replace("\\", "")
    with workbench.reading() as session:
        assert len(session.scalars(select(Note.id)).all()) == 2


def test_the_dialog_of_fields_shows_those_there_are(anna, act_as, screen):
    act_as("marketer")
    test = screen("customers", id=str(anna))
    test.button(key="manage-fields").click().run()
    assert not test.exception
    assert {"Save field", "Add field"} <= labels(test)
