"""The segments screen: anonymous, empty, filled; building, saving, refreshing and deleting."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import insert
from streamlit.testing.v1 import AppTest

from ma import clock
from ma.analytics import segments as analytics
from ma.models import Customer, CustomerScore
from ma.rules.fields import FIELDS, Kind
from ma.rules.operators import Operand, operators_of
from ma.services.segments import create_segment, refresh_segment, update_segment
from ma.types import SYSTEM

LOYAL = {"all": [{"field": "orders", "operator": "gte", "value": 10}]}
NASTY = "![x](http://evil.example/x.png) **bold** $x^2$ :material/home:"


@pytest.fixture
def shop(workbench):
    """Five customers with 1, 2, 10, 20 and 30 orders."""
    now = clock.now()
    with workbench.writing() as session:
        for i, orders in enumerate((1, 2, 10, 20, 30), start=1):
            row = {
                "id": i,
                "split_bucket": i,
                "first_name": f"Person {i}",
                "first_name_folded": f"person {i}",
            }
            row |= {
                "orders": orders,
                "spend_minor": 1000 * orders,
                "visits": 0,
                "search_text": "",
                "version": 1,
            }
            row |= {f"consent_{channel}": True for channel in ("email", "sms", "push", "direct_mail")}
            row |= {"gender": "female" if i < 4 else None, "created_at": now, "updated_at": now}
            session.execute(insert(Customer.__table__).values(**row))
    return workbench


@pytest.fixture
def loyal(shop):
    """The id of a segment of three of them."""
    at = clock.now() - timedelta(days=3)
    with shop.writing() as session:
        segment_id = create_segment(session, SYSTEM, name=f"Loyal {NASTY}", rule=LOYAL, at=at)
        refresh_segment(session, SYSTEM, segment_id, at=at)
    return segment_id


def words(test: AppTest) -> str:
    """Everything readable on the screen."""
    kinds = ("title", "subheader", "markdown", "caption", "info", "error", "warning", "text", "metric")
    return "\n".join(str(element.value) for kind in kinds for element in test.get(kind))


def click(test: AppTest, label: str) -> AppTest:
    return next(button for button in test.button if button.label == label).click().run()


def test_nobody_sees_nothing(shop, loyal, act_as, screen):
    act_as(None)
    test = screen("segments", id=str(loyal))
    assert "Loyal" not in words(test)
    assert "Person" not in words(test)


def press(test: AppTest, suffix: str) -> AppTest:
    return next(button for button in test.button if (button.key or "").endswith(suffix)).click().run()


def matches(test: AppTest) -> list:
    """The widgets that say how many rules of a group must hold."""
    return [widget for widget in test.segmented_control if widget.label.startswith("How many")]


def labels(test: AppTest) -> set[str]:
    return {button.label for button in test.button}


def saved(shop) -> list[str]:
    with shop.reading() as session:
        return list(analytics.segments(session, as_of=clock.now())["name"])


def test_an_empty_workspace_says_what_a_segment_is_and_offers_templates(shop, act_as, screen):
    act_as("marketer")
    assert "A segment is a group of customers described by a rule" in words(screen("segments"))
    assert "Lapsed" in words(screen("segments"))
    act_as("viewer")
    assert "A segment is a group of customers described by a rule" in words(screen("segments"))
    assert "Lapsed" not in words(screen("segments"))


def test_the_list_shows_sizes_and_ages_without_evaluating(loyal, act_as, screen):
    act_as("viewer")
    table = screen("segments").dataframe[0].value
    assert table["name"].tolist() == [f"Loyal {NASTY}"]
    assert table["size"].tolist() == [3]
    assert table["refreshed"].tolist() == ["3 days ago"]
    assert table["about"].tolist() == ["Customers where number of orders is at least 10."]


def test_a_viewer_reads_a_segment_and_changes_nothing(loyal, act_as, screen):
    act_as("viewer")
    test = screen("segments", id=str(loyal), edit="yes")
    assert "number of orders is at least 10" in words(test)
    assert test.dataframe[0].value["name"].tolist() == ["Person 3", "Person 4", "Person 5"]
    assert not labels(test) & {"Edit rule", "Refresh", "Delete segment", "Save changes", "Add rule"}
    assert "Ask an admin for the role marketer" in words(screen("segments", id="new"))


def test_names_are_shown_as_they_are(loyal, act_as, screen):
    act_as("marketer")
    name = screen("segments", id=str(loyal)).subheader[0].value
    assert r"\!\[x\]\(http\:\/\/evil" in name
    assert r"\*\*bold\*\*" in name


@pytest.mark.parametrize(
    ("wanted", "answer"), [("99", "no segment 99"), ("x", "names no segment"), ("9" * 30, "names no")]
)
def test_an_address_that_leads_nowhere_says_so(loyal, act_as, wanted, answer, screen):
    act_as("marketer")
    assert answer in words(screen("segments", id=wanted))


def test_a_nested_rule_is_built_counted_and_saved(shop, act_as, screen):
    act_as("marketer")
    test = screen("segments", id="new")
    assert test.metric[0].value == "5"
    test.number_input[0].set_value(10).run()
    assert test.metric[0].value == "3"
    click(test, "Add group")
    assert len(test.selectbox) == 4
    test.selectbox[2].set_value("gender").run()
    assert "Fill in a value" in words(test)
    assert test.metric[0].value == "–"
    test.selectbox[3].set_value("in").run()
    assert test.multiselect[0].options == ["female (3)"]
    test.multiselect[0].set_value(["female"]).run()
    assert test.metric[0].value == "1"
    assert "2 more might belong, but what decides it is unknown: gender (2)." in words(test)
    matches(test)[1].set_value("none").run()
    assert test.metric[0].value == "2"
    told = "2 of those chosen might not belong, since what decides it is unknown: gender (2)."
    assert told in words(test)
    matches(test)[1].set_value("all").run()
    press(test, "-missing")
    assert test.metric[0].value == "3"
    matches(test)[1].set_value("none").run()
    assert "not (gender is any of female (or is unknown))" in words(test).replace("\\", "")
    assert test.metric[0].value == "0"
    matches(test)[0].set_value("any").run()
    test.text_input[0].set_value("Mine").run()
    click(test, "Save segment")
    assert saved(shop) == ["Mine"]
    with shop.reading() as session:
        segment = analytics.segment(session, 1)
    gender = {"field": "gender", "operator": "in", "value": ["female"], "missing": "match"}
    assert segment.rule == {"any": [{"field": "orders", "operator": "gte", "value": 10}, {"none": [gender]}]}
    assert segment.size == 3
    assert "number of orders is at least 10" in words(test)


def test_a_template_chosen_in_the_editor_names_a_segment_without_a_name(shop, act_as, screen):
    act_as("admin")
    test = screen("segments", id="new")
    name = next(box for box in test.text_input if box.label == "Name")
    test.menu_button(key="rule-template").click("Everybody").run()
    assert test.text_input(key=name.key).value == "Everybody"
    test.text_input(key=name.key).set_value("Mine").run()
    test.menu_button(key="rule-template").click("New customers").run()
    assert test.text_input(key=name.key).value == "Mine"


def test_a_template_is_taken_saved_and_left(shop, act_as, screen):
    act_as("marketer")
    test = screen("segments", id="new", template="Big spenders")
    assert test.text_input[0].value == "Big spenders"
    assert test.metric[0].value == "1"
    test.menu_button(key="rule-template").click("Everybody").run()
    assert test.metric[0].value == "5"
    click(test, "Save segment")
    assert saved(shop) == ["Big spenders"]
    assert test.query_params == {"id": "1"}


def test_rules_and_groups_are_copied_and_deleted(loyal, act_as, screen):
    act_as("marketer")
    test = screen("segments", id=str(loyal), edit="yes")
    test.menu_button[2].click("duplicate").run()
    assert len(test.number_input) == 2
    for suffix, fields in (("-delete", 1), ("-delete", 0)):
        press(test, suffix)
        assert len(test.number_input) == fields
    assert "This group is empty" in words(test)
    click(test, "Save changes")
    assert "The rule is not finished" in words(test)
    click(test, "Cancel")
    assert test.metric[0].value == "3"


def test_what_cannot_be_saved_is_explained_and_changes_nothing(loyal, shop, act_as, screen):
    act_as("marketer")
    test = screen("segments", id="new")
    click(test, "Save segment")
    assert "Give the segment a name" in words(test).replace("\\", "")
    test.text_input[0].set_value(f"LOYAL {NASTY}").run()
    click(test, "Save segment")
    assert "already a segment named" in words(test)
    assert len(saved(shop)) == 1


def test_a_change_by_somebody_else_is_not_overwritten(loyal, shop, act_as, screen):
    act_as("marketer")
    test = screen("segments", id=str(loyal), edit="yes")
    test.number_input[0].set_value(20).run()
    with shop.writing() as session:
        update_segment(session, SYSTEM, loyal, version=1, name="Theirs", at=clock.now())
    click(test, "Save changes")
    assert "changed by somebody else" in test.warning[0].value
    assert "Nothing was saved" in words(test).replace("\\", "")
    assert test.number_input[0].value == 20
    assert saved(shop) == ["Theirs"]
    with shop.reading() as session:
        assert analytics.segment(session, loyal).rule == LOYAL
    click(test, "Drop mine and load the saved one")
    assert (test.text_input[0].value, test.number_input[0].value) == ("Theirs", 10)


def test_a_role_that_was_taken_away_can_no_longer_save(loyal, shop, act_as, screen):
    act_as("marketer")
    test = screen("segments", id=str(loyal))
    act_as("viewer")
    click(test, "Refresh")
    assert not labels(test) & {"Refresh", "Delete segment"}
    with shop.reading() as session:
        assert len(analytics.size_history(session, as_of=clock.now(), segment_id=loyal)) == 1


@pytest.mark.parametrize(("role", "may_edit"), [("viewer", False), ("marketer", True)])
def test_without_customers_the_first_step_is_to_bring_them(workbench, act_as, screen, role, may_edit):
    act_as(role)
    test = screen("segments")
    assert not test.exception
    assert "No segments yet" in words(test)
    assert ("There are no customers yet" in words(test)) is may_edit
    assert [link.label for link in test.get("page_link")] == (
        ["Import customers from a file"] if may_edit else []
    )
    assert ("Write a rule for later" in labels(test)) is may_edit
    assert not any("Start from" in label for label in labels(test))


def test_a_segment_is_refreshed_and_deleted(loyal, shop, act_as, screen):
    act_as("marketer")
    test = screen("segments", id=str(loyal))
    click(test, "Refresh")
    assert not test.exception
    with shop.reading() as session:
        assert len(analytics.size_history(session, as_of=clock.now(), segment_id=loyal)) == 2
    click(test, "Delete segment")
    assert saved(shop) == []
    assert "No segments yet" in words(test)


@pytest.mark.parametrize("kind", sorted({field.kind for field in FIELDS.values()}))
def test_every_operator_has_its_widget_and_drawing_changes_nothing(shop, act_as, kind):
    act_as("marketer")
    rules = [rule for rule in EXAMPLES if FIELDS[rule["field"]].kind is kind]

    def draw(rules):
        import streamlit as st

        from ui import rule_editor, rule_tree, rule_verdict

        rule_tree.open_with("test", {"any": rules})
        rule_editor.draw("EUR")
        st.json(rule_tree.rule())
        st.write(rule_verdict.verdict().finished)

    test = AppTest.from_function(draw, default_timeout=30, kwargs={"rules": rules}).run()
    for _ in range(2):
        assert not test.exception
        assert json.loads(test.json[0].value) == {"any": rules}
        test.run()
    assert test.markdown[-1].value in ("True", "`True`")


def examples() -> list[dict]:
    """One rule for each operator of each kind of field."""
    values = {
        Kind.TEXT: ["Ann", "b%"],
        Kind.CODE: ["0049", "x"],
        Kind.CHOICE: ["female", "unheard of"],
        Kind.YES_NO: [False],
        Kind.COUNT: [3, 2**60],
        Kind.NUMBER: [12.5, 50.0],
        Kind.MONEY: [-1050, 99_999_99],
        Kind.AGE: [0, 150],
        Kind.DATE: ["1900-01-01", "2199-12-31"],
        Kind.MOMENT: ["2026-03-29", "2026-10-25"],
        Kind.LIST: ["gold", "vip"],
    }
    # Scores take no numbers as large as these.
    left_out = {"birth_date", *(name for name in FIELDS if hasattr(CustomerScore, name)), "expected_value"}
    fields = {field.kind: field for field in FIELDS.values() if field.name not in left_out}
    found = []
    for kind, field in fields.items():
        for operator in operators_of(field).values():
            rule = {"field": field.name, "operator": operator.name}
            match operator.operand:
                case Operand.ONE:
                    rule["value"] = values[kind][-1]
                case Operand.MANY | Operand.RANGE:
                    rule["value"] = values[kind]
                case Operand.WINDOW:
                    rule |= {"value": 3, "unit": "month"}
            found.append(rule)
            if field.can_be_missing and "value" in rule:
                found.append(rule | {"missing": "match"})
    return found


EXAMPLES = examples()
