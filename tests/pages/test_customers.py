"""The customers page in each of its states, for each role."""

import json

import pandas as pd
import pytest

from ma import clock
from ma.services.customers import create_customer, delete_customer, import_customers
from ma.services.facts import import_behaviour, import_purchases
from ma.services.profiles import rebuild_profiles
from ma.types import SYSTEM

CANARY = "Canarybird"
NASTY = {"first_name": "**x** <b>y</b>", "last_name": "![i](http://e.test/i.png) $x$ :material/home:"}


@pytest.fixture
def people(workbench):
    """60 customers; the first one bought and visited."""
    at = clock.now()
    frame = pd.DataFrame(
        {
            "first_name": [CANARY] + ["Anna"] * 59,
            "last_name": [f"Name{i:02d}" for i in range(60)],
            "email": [f"person{i:02d}@example.com" for i in range(60)],
            "consent_email": [i % 2 == 0 for i in range(60)],
        }
    )
    when = pd.to_datetime([pd.Timestamp(at) - pd.Timedelta(days=days) for days in (40, 3)], utc=True)
    with workbench.writing() as session:
        ids = import_customers(session, SYSTEM, frame, source="test", at=at).tolist()
        orders = pd.DataFrame(
            {"external_key": ["A", "B"], "customer_id": ids[0], "kind": "sale", "at": when,
             "amount_minor": [123456, 1000]}
        )  # fmt: skip
        lines = pd.DataFrame(
            {"external_key": ["A", "B"], "category": ["<b>Wine</b>", None], "quantity": 2,
             "amount_minor": [123456, 1000]}
        )  # fmt: skip
        import_purchases(session, SYSTEM, orders, lines, source="test", at=at)
        visits = pd.DataFrame({"customer_id": ids[0], "kind": "visit", "at": when, "page": "cart"})
        import_behaviour(session, SYSTEM, visits, source="test", at=at)
        rebuild_profiles(session, as_of=at)
    return ids


def words(test) -> str:
    """Everything a screen says."""
    kinds = ("title", "header", "markdown", "caption", "info", "error", "warning")
    said = [str(element.value) for kind in kinds for element in getattr(test, kind)]
    tables = [table.value.to_csv() for table in [*test.dataframe, *test.table]]
    return "\n".join(said + tables + [metric.value for metric in test.metric])


def labels(test) -> set[str]:
    return {button.label for button in test.button}


@pytest.mark.parametrize("params", [{}, {"id": "1"}, {"q": CANARY}])
def test_nobody_signed_in_learns_nothing(people, act_as, screen, params):
    act_as(None)
    test = screen("customers", **params)
    assert not test.exception
    said = words(test)
    assert "Your session has ended" in said
    assert "Name" not in said
    assert CANARY not in said
    assert not test.dataframe
    assert not test.button


@pytest.mark.parametrize(("role", "may_add"), [("viewer", False), ("marketer", True)])
def test_an_empty_workspace_says_what_this_is_and_how_to_fill_it(workbench, act_as, screen, role, may_add):
    act_as(role)
    test = screen("customers")
    assert not test.exception
    assert "No customers yet." in words(test)
    assert ("Add the first customer" in labels(test)) is may_add
    assert [link.label for link in test.get("page_link")] == (
        ["Import customers from a file"] if may_add else []
    )


@pytest.mark.parametrize(
    ("role", "buttons", "exports"),
    [
        ("viewer", set(), False),
        ("analyst", set(), True),
        ("marketer", {"Add customer", "Add a tag", "Remove a tag", "Add to a list", "Manage fields"}, True),
        (
            "admin",
            {"Add customer", "Add a tag", "Remove a tag", "Add to a list", "Manage fields", "Erase for good"},
            True,
        ),
    ],
)
def test_each_role_sees_the_list_and_its_own_actions(people, act_as, screen, role, buttons, exports):
    act_as(role)
    test = screen("customers")
    assert not test.exception
    assert len(test.dataframe[0].value) == 25
    assert "**60 customers**" in words(test)
    actions = {option for menu in test.get("menu_button") for option in menu.proto.options}
    assert (labels(test) | actions) - {"A to Z", "Save view"} == buttons
    assert [link.proto.label for link in test.get("link_button")] == ["CSV", "Excel", "Parquet"] * exports


def test_the_address_holds_search_order_filter_and_page(people, act_as, screen):
    act_as("viewer")
    names = screen("customers", page="3").dataframe[0].value["name"].tolist()
    assert names == [f"Anna Name{i:02d}" for i in range(50, 60)]
    assert screen("customers", page="99").dataframe[0].value["name"].tolist() == names
    assert len(screen("customers", page="nonsense").dataframe[0].value) == 25
    found = screen("customers", q="name07 ANNA")
    assert found.dataframe[0].value["name"].tolist() == ["Anna Name07"]
    assert found.text_input[0].value == "name07 ANNA"
    assert "**1 customer** of 60" in words(found)
    assert screen("customers", sort="spend").dataframe[0].value["name"].iloc[0] == f"{CANARY} Name00"
    assert screen("customers", sort="password").selectbox(key="customers-sort-1").value == "name"
    assert "**30 customers** of 60" in words(screen("customers", consent="email"))
    assert "**60 customers**" in words(screen("customers", consent="fax"))


def test_the_address_holds_filters_columns_and_the_orders_direction(people, workbench, act_as, screen):
    act_as("viewer")
    rich = {"field": "lifetime_value", "operator": "gte", "value": 100}
    named = {"field": "last_name", "operator": "starts_with", "value": "name0"}
    rule = json.dumps({"all": [rich, named]})
    test = screen("customers", rule=rule, columns="phone,name,nonsense", sort="name", desc="1")
    assert not test.exception
    assert "**1 customer** of 60" in words(test)
    assert test.dataframe[0].proto.column_order == ["open", "name", "phone"]
    chips = {label.replace("\\", "") for label in labels(test)}
    assert {"Lifetime value is at least €1", "Last name starts with “name0”", "Z to A"} <= chips
    first = next(button for button in test.button if button.key.startswith("chip-"))
    first.click().run()
    assert "**10 customers** of 60" in words(test)
    assert json.loads(one(test.query_params["rule"])) == named
    test.button(key="clear-filters").click().run()
    assert "**60 customers**" in words(test)
    assert "rule" not in test.query_params
    assert one(test.query_params["desc"]) == "1"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"rule": '{"field": "agee"}'}, "Did you mean 'age'?"),
        ({"rule": "["}, "The filter in this address is left out."),
        ({"view": "7"}, "This view was deleted, or its owner does not share it."),
        ({"view": "x"}, "The address names no view."),
        ({"q": "%"}, "A search needs letters or digits."),
        ({"consent": "fax", "sort": "tags", "desc": "?", "columns": "?", "page": "-3"}, "Name00"),
    ],
)
def test_what_makes_no_sense_in_the_address_is_told_or_left_out(people, act_as, screen, params, said):
    act_as("viewer")
    test = screen("customers", **params)
    assert not test.exception
    assert said in words(test).replace("\\", "")
    assert "**60 customers**" in words(test)


def test_a_view_brings_back_what_was_saved(people, act_as, screen):
    act_as("viewer")
    test = screen("customers", q="name07", sort="spend", columns="name,spend")
    test.text_input(key="view-name").set_value("Seven")
    test.checkbox(key="view-shared").set_value(True)
    next(button for button in test.button if button.label == "Save view").click().run()
    assert not test.exception
    view = one(test.query_params["view"])
    act_as("marketer")
    test = screen("customers", view=view)
    assert "**1 customer** of 60" in words(test)
    assert test.dataframe[0].proto.column_order == ["open", "name", "spend"]
    assert one(test.query_params["q"]) == "name07"
    assert "Save changes to this view" not in labels(test)


def one(value) -> str:
    """A parameter of an address, which the test screen keeps as a list."""
    return value if isinstance(value, str) else value[0]


def test_another_search_starts_on_its_first_page_and_is_kept_in_the_address(people, act_as, screen):
    act_as("viewer")
    test = screen("customers", page="3")
    test.text_input[0].set_value("anna").run()
    assert not test.exception
    assert test.dataframe[0].value["name"].iloc[0] == "Anna Name01"
    assert test.query_params["q"] in ("anna", ["anna"])
    assert "page" not in test.query_params


def test_a_search_without_a_hit_offers_the_way_back(people, act_as, screen):
    act_as("viewer")
    test = screen("customers", q="nobody has this name", consent="email")
    assert "Nobody fits this search." in words(test)
    test.button(key="everybody").click().run()
    assert "**60 customers**" in words(test)
    assert "q" not in test.query_params


@pytest.mark.parametrize("wanted", ["999999", "abc", "-1", "1e3", "", "9" * 40, "١"])
def test_an_address_of_nobody_says_so_and_offers_the_list(people, act_as, screen, wanted):
    act_as("viewer")
    test = screen("customers", id=wanted)
    assert not test.exception
    assert "Choose one from the list of all customers" in words(test)
    test.button[0].click().run()
    assert "**60 customers**" in words(test)


def test_a_deleted_customer_is_nobody(people, workbench, act_as, screen):
    with workbench.writing() as session:
        delete_customer(session, SYSTEM, people[0], version=1, at=clock.now())
    act_as("admin")
    test = screen("customers", id=str(people[0]))
    assert "They may have been deleted" in words(test)
    assert CANARY not in words(test)
    assert "**59 customers**" in words(screen("customers"))


def test_a_name_cannot_become_formatting(workbench, act_as, screen):
    with workbench.writing() as session:
        nasty = create_customer(session, SYSTEM, at=clock.now(), **NASTY)
    act_as("marketer")
    test = screen("customers", id=str(nasty))
    assert not test.exception
    header = test.header[0].value
    for formatting in ("**x**", "<b>", "![i]", "$x$", ":material/"):
        assert formatting not in header
    assert header.replace("\\", "") == " ".join(NASTY.values())
