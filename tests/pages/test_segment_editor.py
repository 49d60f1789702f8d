"""The rule editor: every kind of condition, moving things about, undo and redo, JSON, stale clicks."""

import json
from datetime import timedelta

import pandas as pd
import pytest
from sqlalchemy import insert, select, update
from streamlit.testing.v1 import AppTest

from ma import clock
from ma.analytics import rule_values
from ma.analytics import segments as analytics
from ma.models import Attribute, AttributeValue, BehaviourEvent, Customer, CustomerTag, Segment, Tag
from ma.services.facts import import_purchases
from ma.services.segments import create_segment, update_segment
from ma.types import SYSTEM

EVERYBODY = {"all": [{"field": "orders", "operator": "gte", "value": 0}]}


@pytest.fixture
def shop(workbench):
    """Four customers: two bought tea; a tag, a field of one's own, a visit, a segment."""
    now = clock.now()
    with workbench.writing() as session:
        for i in range(1, 5):
            row = {
                "id": i,
                "split_bucket": i * 2000,
                "orders": i,
                "visits": 0,
                "search_text": "",
                "version": 1,
            }
            row |= {f"consent_{channel}": True for channel in ("email", "sms", "push", "direct_mail")}
            session.execute(insert(Customer.__table__).values(**row, created_at=now, updated_at=now))
        orders = pd.DataFrame(
            {
                "external_key": ["a", "b", "c"],
                "customer_id": [1, 2, 2],
                "kind": "sale",
                "at": pd.to_datetime([now - timedelta(days=days) for days in (3, 5, 200)], utc=True),
                "amount_minor": [1000, 2000, 500],
            }
        )
        lines = orders[["external_key", "amount_minor"]].assign(category=["Tea", "Tea", "Coffee"], quantity=1)
        import_purchases(session, SYSTEM, orders, lines, source="test", at=now)
        session.execute(insert(Tag.__table__).values(id=1, name="Gold", name_folded="gold", created_at=now))
        session.execute(insert(CustomerTag.__table__).values(tag_id=1, customer_id=3, actor="x", at=now))
        own = {"id": 7, "name": "Shirt", "name_folded": "shirt", "kind": "text", "choices": []}
        session.execute(insert(Attribute.__table__).values(**own, created_by="x", created_at=now))
        shirt = {"attribute_id": 7, "customer_id": 4, "position": 0, "text": "XL", "text_folded": "xl"}
        session.execute(insert(AttributeValue.__table__).values(**shirt))
        visit = {
            "customer_id": 4,
            "kind": "visit",
            "at": now - timedelta(days=1),
            "page": "home",
            "device": "phone",
        }
        session.execute(insert(BehaviourEvent.__table__).values(**visit))
        create_segment(session, SYSTEM, name="Others", rule=EVERYBODY, at=now)
    return workbench


@pytest.fixture
def editor(shop, act_as, screen):
    """The screen of a new segment, opened by a marketer."""
    act_as("marketer")
    return screen("segments", id="new")


def rule(test: AppTest) -> dict:
    """The rule as the JSON view shows it; the builder is shown again after."""
    test.segmented_control(key="rule-as").set_value("json").run()
    found = json.loads(test.code[0].value)
    test.segmented_control(key="rule-as").set_value("builder").run()
    return found


def words(test: AppTest) -> str:
    kinds = ("markdown", "caption", "error", "warning", "success", "info", "text", "metric")
    return "\n".join(str(element.value) for kind in kinds for element in test.get(kind)).replace("\\", "")


def labelled(widgets, label: str, place: int = -1):
    return [widget for widget in widgets if widget.label == label][place]


def pick(test: AppTest, label: str, value, place: int = -1) -> None:
    labelled(test.selectbox, label, place).set_value(value).run()
    assert not test.exception


def press(test: AppTest, suffix: str, place: int = -1) -> None:
    [button for button in test.button if (button.key or "").endswith(suffix)][place].click().run()
    assert not test.exception


def menus(test: AppTest, suffix: str) -> list:
    return [menu for menu in test.menu_button if (menu.key or "").endswith(suffix)]


def only(test: AppTest) -> dict:
    [leaf] = rule(test)["all"]
    return leaf


def purchase(test):
    pick(test, "Field", "event purchase")
    press(test, "-where")
    assert "Choose at least one value" in words(test)
    assert [option.split(" ")[0] for option in test.multiselect[0].options] == ["Tea", "Coffee"]
    test.multiselect[0].set_value(["Tea"]).run()
    pick(test, "When", "7 day")


def amount(test):
    pick(test, "Field", "event purchase")
    pick(test, "Measure", "avg")
    assert "Fill in a value" in words(test)
    test.number_input[0].set_value(15.0).run()
    pick(test, "When", "last")
    pick(test, "Unit", "year")
    press(test, "-missing")


def visits(test):
    pick(test, "Field", "event visit")
    pick(test, "When", "since")
    assert "Choose the day" in words(test)
    test.date_input[0].set_value((clock.now() - timedelta(days=30)).date()).run()


def campaign(test):
    pick(test, "Field", "campaign")
    pick(test, "Step", "was_sent")
    pick(test, "Campaign", "email")


def in_segment(test):
    pick(test, "Field", "segment")
    assert "Choose a segment" in words(test)
    pick(test, "Segment", 1)


def random(test):
    pick(test, "Field", "random")
    labelled(test.text_input, "Name of the split").set_value("autumn").run()
    test.slider[0].set_range(0.0, 100.0).run()


def tags(test):
    pick(test, "Field", "tags")
    assert test.multiselect[0].options == ["Gold (1)"]
    test.multiselect[0].set_value(["Gold"]).run()


def own_field(test):
    pick(test, "Field", "attribute:7")
    if not labelled(test.selectbox, "Field").value == "attribute:7":
        raise AssertionError
    pick(test, "Operator", "starts_with")
    labelled(test.text_input, "Value").set_value("x").run()


SINCE = (clock.now() - timedelta(days=30)).date().isoformat()
LEAVES = {
    purchase: (
        {"event": "purchase", "where": {"field": "category", "operator": "in", "value": ["Tea"]}}
        | {"measure": "count", "operator": "gte", "value": 1, "within": {"last": 7, "unit": "day"}},
        2,
    ),
    amount: (
        {"event": "purchase", "measure": "avg", "operator": "gte", "value": 1500}
        | {"within": {"last": 90, "unit": "year"}, "missing": "match"},
        2,
    ),
    visits: (
        {"event": "visit", "measure": "count", "operator": "gte", "value": 1, "within": {"from": SINCE}},
        1,
    ),
    campaign: ({"campaign": {"channel": "email"}, "did": "was_sent"}, 0),
    in_segment: ({"in_segment": 1}, 4),
    random: ({"random": "autumn", "from": 0.0, "to": 100.0}, 4),
    tags: ({"field": "tags", "operator": "has_any", "value": ["Gold"]}, 1),
    own_field: ({"field": "attribute:7", "operator": "starts_with", "value": "x"}, 1),
}


@pytest.mark.parametrize("build", LEAVES, ids=lambda build: build.__name__)
def test_every_kind_of_condition_is_built_counted_and_saved(shop, editor, build):
    build(editor)
    expected, people = LEAVES[build]
    assert only(editor) == expected
    labelled(editor.text_input, "Name").set_value("Mine").run()
    assert editor.metric[0].value == str(people)
    press(editor, "save")
    with shop.reading() as session:
        segment_id = session.scalar(select(Segment.id).where(Segment.name == "Mine"))
        found = analytics.segment(session, segment_id)
    assert (found.rule, found.size) == ({"all": [expected]}, people)
    # Opened again, the editor shows the same and changes nothing.
    editor.query_params["edit"] = "yes"
    editor.run()
    assert only(editor) == expected


@pytest.fixture
def cities(shop):
    """Two of Cincinnati, one of Bonn, one of whom it is unknown."""
    with shop.writing() as session:
        for customer, city in ((1, "Cincinnati"), (2, "Cincinnati"), (3, "Bonn")):
            values = {"city": city, "city_folded": city.casefold(), "country": "DE"}
            session.execute(update(Customer).where(Customer.id == customer).values(**values))


def test_cities_are_chosen_from_the_data_with_their_counts(cities, editor):
    pick(editor, "Field", "city")
    box = labelled(editor.selectbox, "Value")
    assert box.options == ["Cincinnati (2)", "Bonn (1)"]
    box.set_value("Bonn").run()
    assert editor.metric[0].value == "1"
    pick(editor, "Operator", "in")
    assert editor.multiselect[0].options == ["Cincinnati (2)", "Bonn (1)"]
    editor.multiselect[0].set_value(["Bonn", "Cincinnati"]).run()
    assert editor.metric[0].value == "3"
    assert "at present" not in words(editor)
    # A part of a text is typed.
    pick(editor, "Operator", "eq")
    pick(editor, "Operator", "contains")
    assert not editor.multiselect
    labelled(editor.text_input, "Value").set_value("cinc").run()
    assert editor.metric[0].value == "2"
    assert "at present" not in words(editor)


def test_a_value_that_nobody_has_is_said_with_the_one_probably_meant(cities, editor):
    rules = [
        {"field": "city", "operator": "in", "value": ["Cincinatti", "bonn", "Xanadu"]},
        {"field": "country", "operator": "eq", "value": "de"},
        {"event": "purchase", "where": {"field": "category", "operator": "eq", "value": "Soap"}}
        | {"measure": "count", "operator": "gte", "value": 1},
    ]
    type_json(editor, json.dumps({"all": rules}))
    press(editor, "rule-use")
    assert not editor.exception
    told = words(editor)
    assert "Nobody has “Cincinatti” at present. Did you mean “Cincinnati”?" in told
    assert "Nobody has “Xanadu” at present." in told
    assert "“bonn”" not in told.replace("is any of “Cincinatti”, “bonn”", "")
    assert "Nobody has “de” at present. Did you mean “DE”?" in told
    assert "No purchase has “Soap” at present." in told


def test_of_many_values_only_those_are_doubted_that_look_mistyped(cities, editor, monkeypatch):
    monkeypatch.setattr(rule_values, "MOST_VALUES", 2)
    pick(editor, "Field", "city")
    pick(editor, "Operator", "in")
    editor.multiselect[0].set_value(["Cincinatti", "Xanadu"]).run()
    assert "“Cincinatti” is not a common value. Did you mean “Cincinnati”?" in words(editor)
    assert "Xanadu”?" not in words(editor)
    assert "at present" not in words(editor)


def test_a_number_beyond_its_range_is_told_with_the_range(editor):
    pick(editor, "Field", "churn_risk")
    assert labelled(editor.selectbox, "Operator").value == "gte"
    box = editor.number_input[0]
    assert (box.placeholder, box.step) == ("0 to 1", 0.05)
    box.set_value(80.0).run()
    assert not editor.exception
    assert "Type a number from 0 to 1. Chance from 0 to 1 that they are gone." in words(editor)
    assert "Fill in a value" not in words(editor)
    editor.number_input[0].set_value(0.1 + 0.05).run()
    assert "Type a number" not in words(editor)
    assert only(editor)["value"] == 0.15
    pick(editor, "Field", "orders")
    assert editor.number_input[0].placeholder == "Type a number"
    editor.number_input[0].set_value(-1).run()
    assert "Type a whole number from 0 on." in words(editor)
    pick(editor, "Operator", "in")
    editor.multiselect[0].set_value(["many"]).run()
    assert "Type a whole number from 0 on." in words(editor)
    # Amounts are told in words, not in the smallest unit of the currency.
    pick(editor, "Field", "lifetime_value")
    editor.multiselect[0].set_value(["many"]).run()
    assert "Type an amount." in words(editor)


def test_conditions_on_numbers_begin_with_at_least(editor):
    pick(editor, "Field", "country")
    assert labelled(editor.selectbox, "Operator").value == "eq"
    for name in ("age", "country", "lifetime_value", "country", "churn_risk"):
        pick(editor, "Field", name)
        assert labelled(editor.selectbox, "Operator").value == ("eq" if name == "country" else "gte")
    pick(editor, "Operator", "lt")
    pick(editor, "Field", "orders")
    assert labelled(editor.selectbox, "Operator").value == "lt"


def test_every_change_is_undone_and_done_again(editor):
    steps = [rule(editor)]
    for change in (
        lambda: editor.number_input[0].set_value(3).run(),
        lambda: menus(editor, "-add")[0].click("campaign").run(),
        lambda: pick(editor, "Step", "clicked"),
        lambda: press(editor, "-add-group"),
        lambda: menus(editor, "-menu")[-1].click("duplicate").run(),
        lambda: press(editor, "-delete", 0),
    ):
        change()
        steps.append(rule(editor))
    assert len({json.dumps(step) for step in steps}) == len(steps)
    for step in reversed(steps[:-1]):
        press(editor, "undo")
        assert rule(editor) == step
    assert editor.button(key="undo").disabled
    assert editor.number_input[0].value == 1
    for step in steps[1:]:
        press(editor, "redo")
        assert rule(editor) == step
    assert editor.button(key="redo").disabled
    press(editor, "undo")
    pick(editor, "Step", "opened")
    assert editor.button(key="redo").disabled


def test_what_an_undo_brings_back_is_what_the_widgets_show(editor):
    editor.number_input[0].set_value(3).run()
    editor.number_input[0].set_value(4).run()
    press(editor, "undo")
    assert (editor.number_input[0].value, editor.metric[0].value) == (3, "2")
    pick(editor, "Operator", "eq")
    press(editor, "undo")
    assert (labelled(editor.selectbox, "Operator").value, editor.number_input[0].value) == ("gte", 3)


def test_conditions_and_groups_are_moved_wrapped_and_unwrapped(editor):
    def field(value):
        return {"field": "orders", "operator": "gte", "value": value}

    press(editor, "-add-group")
    editor.number_input[1].set_value(2).run()
    menus(editor, "-add")[0].click("field").run()
    editor.number_input[2].set_value(3).run()
    start = {"all": [field(1), {"any": [field(2), field(3)]}]}
    assert rule(editor) == start
    # The menus from the top: the root's, the first rule's, the group's, those of its two rules.
    for place, how, expected in (
        (1, "down", {"all": [{"any": [field(2), field(3)]}, field(1)]}),
        (4, "into", {"all": [{"any": [field(2), field(3), field(1)]}]}),
        (4, "out", {"all": [{"any": [field(2), field(3)]}, field(1)]}),
        (1, "unwrap", {"all": [field(2), field(3), field(1)]}),
        (3, "up", {"all": [field(2), field(1), field(3)]}),
        (1, "wrap", {"all": [{"all": [field(2)]}, field(1), field(3)]}),
        (0, "wrap", {"all": [{"all": [{"all": [field(2)]}, field(1), field(3)]}]}),
    ):
        menus(editor, "-menu")[place].click(how).run()
        assert rule(editor) == expected
    offered = [set(menu.options) for menu in menus(editor, "-menu")]
    assert not any("Move up" in option for option in offered[1])
    for _ in range(7):
        press(editor, "undo")
    assert rule(editor) == start


def test_groups_do_not_nest_deeper_than_a_rule_may(editor):
    for _ in range(9):
        menus(editor, "-menu")[0].click("wrap").run()
    found = rule(editor)
    for _ in range(9):
        [found] = found["all"]
    assert "all" in found
    # The one rule is at the end of ten groups: nothing more can be wrapped.
    assert not any("Wrap" in option for menu in menus(editor, "-menu") for option in menu.options)
    assert len([button for button in editor.button if (button.key or "").endswith("-add-group")]) == 9
    assert editor.metric[0].value == "4"


def test_json_is_checked_used_and_undone(editor):
    test = editor
    first = rule(test)
    test.segmented_control(key="rule-as").set_value("json").run()
    area = test.text_area[0]
    area.set_value('{"all": [{"field": "orderz", "operator": "gte", "value": 1}]}').run()
    press(test, "rule-check")
    assert "Unknown field 'orderz' at `all[0]" in words(test)
    assert "Did you mean 'orders'?" in words(test)
    press(test, "rule-use")
    assert "Did you mean 'orders'?" in words(test)
    assert json.loads(test.code[0].value) == first
    test.text_area[0].set_value("[").run()
    press(test, "rule-check")
    assert "not valid JSON (line 1" in words(test)
    wanted = {"any": [{"none": [{"field": "orders", "operator": "in", "value": [2, 3]}]}]}
    test.text_area[0].set_value(json.dumps(wanted)).run()
    press(test, "rule-check")
    assert "This rule is right" in words(test)
    press(test, "rule-use")
    assert test.metric[0].value == "2"
    assert rule(test) == wanted
    press(test, "undo")
    assert rule(test) == first


WANTED = {"all": [{"field": "orders", "operator": "gte", "value": 4}]}


def shown_as(test: AppTest, view: str) -> None:
    test.segmented_control(key="rule-as").set_value(view).run()
    assert not test.exception


def type_json(test: AppTest, text: str) -> None:
    shown_as(test, "json")
    test.text_area[0].set_value(text).run()


def saved_rule(shop, name: str) -> dict | None:
    with shop.reading() as session:
        return session.scalar(select(Segment.rule).where(Segment.name == name))


@pytest.mark.parametrize("view", ["json", "builder"])
def test_json_that_was_typed_is_what_is_saved(shop, editor, view):
    labelled(editor.text_input, "Name").set_value("Typed").run()
    type_json(editor, json.dumps(WANTED))
    press(editor, "rule-check")
    assert "right, but not used yet" in words(editor)
    shown_as(editor, view)
    assert "not used yet. Saving takes it" in words(editor)
    press(editor, "save")
    assert saved_rule(shop, "Typed") == WANTED
    assert "Saved with the JSON that you typed. 1 customers" in editor.toast[0].value


def test_json_that_is_wrong_is_not_saved_and_not_lost(shop, editor):
    labelled(editor.text_input, "Name").set_value("Typed").run()
    type_json(editor, '{"all": [{"field": "orderz", "operator": "gte", "value": 1}]}')
    for view in ("builder", "json"):
        shown_as(editor, view)
        press(editor, "save")
        assert saved_rule(shop, "Typed") is None
        assert "Nothing was saved" in words(editor)
        assert "Did you mean 'orders'?" in words(editor)
    assert "orderz" in editor.text_area[0].value
    press(editor, "rule-discard")
    assert json.loads(editor.text_area[0].value) == json.loads(editor.code[0].value)
    assert "not used yet" not in words(editor)
    press(editor, "save")
    assert saved_rule(shop, "Typed") == {"all": [{"field": "orders", "operator": "gte", "value": 1}]}


def test_typed_json_outlasts_the_builder_and_changes_there(editor):
    type_json(editor, "[")
    shown_as(editor, "builder")
    editor.number_input[0].set_value(3).run()
    press(editor, "rule-unused-show")
    assert editor.text_area[0].value == "["
    shown_as(editor, "builder")
    press(editor, "rule-unused-discard")
    assert "not used yet" not in words(editor)
    shown_as(editor, "json")
    assert json.loads(editor.text_area[0].value)["all"][0]["value"] == 3


def leave(test: AppTest) -> None:
    next(button for button in test.button if button.label == "All segments").click().run()
    assert not test.number_input
    assert not test.exception


def come_back(test: AppTest, **params: str) -> None:
    for key, value in params.items():
        test.query_params[key] = value
    test.run()
    assert not test.exception


def test_a_draft_that_was_left_comes_back_with_its_name_and_says_so(editor):
    labelled(editor.text_input, "Name").set_value("Abandoned one").run()
    labelled(editor.text_input, "Description").set_value("To think about").run()
    editor.number_input[0].set_value(88).run()
    assert "unsaved draft" not in words(editor)
    leave(editor)
    editor.session_state["rule-editor-state segment new "]["touched_at"] -= timedelta(minutes=5)
    come_back(editor, id="new")
    assert "Your unsaved draft, last changed 5 minutes ago." in words(editor)
    assert labelled(editor.text_input, "Name").value == "Abandoned one"
    assert labelled(editor.text_input, "Description").value == "To think about"
    assert editor.number_input[0].value == 88
    press(editor, "start-anew")
    assert "unsaved draft" not in words(editor)
    assert (labelled(editor.text_input, "Name").value, editor.number_input[0].value) == ("", 1)


def test_cancelling_and_saving_leave_no_draft_and_looking_makes_none(editor):
    leave(editor)
    come_back(editor, id="new")
    assert "unsaved draft" not in words(editor)
    editor.number_input[0].set_value(88).run()
    press(editor, "cancel")
    come_back(editor, id="new")
    assert editor.number_input[0].value == 1
    assert "unsaved draft" not in words(editor)
    labelled(editor.text_input, "Name").set_value("Saved").run()
    press(editor, "save")
    come_back(editor, id="new")
    assert labelled(editor.text_input, "Name").value == ""
    assert "unsaved draft" not in words(editor)


def test_the_draft_of_one_segment_outlasts_the_editor_of_another(editor):
    kept_of_1 = "rule-editor-state segment segment 1"
    labelled(editor.text_input, "Name").set_value("Mine").run()
    leave(editor)
    come_back(editor, id="1", edit="yes")
    assert labelled(editor.text_input, "Name").value == "Others"
    assert "unsaved draft" not in words(editor)
    assert kept_of_1 in editor.session_state
    leave(editor)
    editor.query_params.clear()
    come_back(editor, id="new")
    assert labelled(editor.text_input, "Name").value == "Mine"
    # What was only opened is forgotten.
    press(editor, "start-anew")
    assert kept_of_1 not in editor.session_state


def test_an_older_draft_of_a_segment_does_not_overwrite_a_newer_version(shop, act_as, screen):
    act_as("marketer")
    test = screen("segments", id="1", edit="yes")
    test.number_input[0].set_value(3).run()
    leave(test)
    come_back(test, id="1", edit="yes")
    assert "Your unsaved draft, last changed just now." in words(test)
    leave(test)
    with shop.writing() as session:
        update_segment(session, SYSTEM, 1, version=1, name="Theirs", at=clock.now())
    come_back(test, id="1", edit="yes")
    assert "changed by somebody else" in test.warning[0].value
    assert test.number_input[0].value == 3
    press(test, "save")
    assert "Nothing was saved" in words(test)
    assert saved_rule(shop, "Theirs") == EVERYBODY
    press(test, "reload")
    assert (labelled(test.text_input, "Name").value, test.number_input[0].value) == ("Theirs", 0)


def test_a_saved_rule_that_has_become_wrong_is_put_right_as_text(shop, act_as, screen):
    broken = {"all": [{"field": "attribute:99", "operator": "is_set"}]}
    with shop.writing() as session:
        session.execute(Segment.__table__.update().where(Segment.id == 1).values(rule=broken))
    act_as("marketer")
    test = screen("segments", id="1", edit="yes")
    assert not test.exception
    assert "no longer works" in words(test)
    assert json.loads(test.text_area[0].value) == broken
    press(test, "save")
    assert saved_rule(shop, "Others") == broken
    test.text_area[0].set_value(json.dumps(EVERYBODY)).run()
    press(test, "rule-use")
    assert rule(test) == EVERYBODY


def test_clicks_of_a_screen_that_is_no_longer_true_change_nothing(shop, act_as):
    act_as("marketer")

    def stale():
        import streamlit as st

        from ui import rule_changes, rule_history, rule_tree

        rule_tree.close()
        rule_changes.add("gone", "event")
        rule_history.undo()
        rule_tree.open_with("test", {"all": [{"in_segment": 1}]})
        st.session_state["chosen"] = "up"
        for click in (
            lambda: rule_changes.delete("gone"),
            lambda: rule_changes.duplicate("gone"),
            lambda: rule_changes.move_chosen("gone", "chosen"),
            lambda: rule_changes.add("gone", "group"),
            lambda: rule_changes.add_condition("gone"),
            lambda: rule_changes.set_subject("gone", "chosen"),
            lambda: rule_changes.set_measure("gone", "chosen"),
            lambda: rule_changes.set_operator("gone", "chosen"),
            lambda: rule_changes.set_value("gone", "chosen", str),
            lambda: rule_changes.set_unit("gone", "chosen"),
            lambda: rule_changes.set_part("gone", "chosen", "did"),
            lambda: rule_changes.set_range("gone", "chosen"),
            lambda: rule_changes.set_period("gone", "chosen", "how"),
            lambda: rule_changes.set_match("gone", "chosen"),
            lambda: rule_changes.toggle_missing("gone"),
            lambda: rule_changes.delete(rule_tree.root()["id"]),
        ):
            click()
        st.json(rule_tree.rule())
        st.write(str(rule_history.can_undo()))

    test = AppTest.from_function(stale, default_timeout=30).run()
    assert not test.exception
    assert json.loads(test.json[0].value) == {"all": [{"in_segment": 1}]}
    assert test.markdown[-1].value == "False"


def test_a_viewer_gets_no_editor(shop, act_as, screen):
    act_as("viewer")
    for params in ({"id": "new"}, {"id": "1", "edit": "yes"}):
        test = screen("segments", **params)
        assert not test.text_area
        assert not menus(test, "-menu")
