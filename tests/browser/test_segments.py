"""A rule of three levels, built by hand in a real browser, undone, saved and opened again."""

import json
import re

import pandas as pd
import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from ma import clock
from ma.models import Segment
from ma.services.customers import create_customer
from ma.services.facts import import_purchases
from ma.services.profiles import rebuild_profiles
from ma.types import SYSTEM
from tests.browser.widgets import enter, pick

pytestmark = pytest.mark.browser
SENTENCE = re.compile(r"postal code starts with “77.*where category is any of “Matcha.*clicked", re.DOTALL)


@pytest.fixture
def drinkers(app):
    """Three people of one postal code: the first two bought matcha yesterday, the first one twice."""
    at = clock.now()
    with app.database.writing() as session:
        ids = [
            create_customer(session, SYSTEM, at=at, first_name=f"Drinker {i}", postal_code=f"7755{i}")
            for i in range(3)
        ]
        orders = pd.DataFrame(
            {
                "external_key": [f"matcha-{i}" for i in range(3)],
                "customer_id": [ids[0], ids[0], ids[1]],
                "kind": "sale",
                "at": pd.to_datetime([at] * 3, utc=True) - pd.Timedelta(days=1),
                "amount_minor": 900,
            }
        )
        lines = orders[["external_key", "amount_minor"]].assign(category="Matcha", quantity=1)
        import_purchases(session, SYSTEM, orders, lines, source="test", at=at)
        rebuild_profiles(session, as_of=at, customer_ids=ids)


def chosen(page, people):
    """Wait until the rule chooses so many."""
    card = page.get_by_test_id("stMetric").filter(has_text="Customers chosen")
    expect(card.get_by_test_id("stMetricValue")).to_have_text(people)


def test_a_rule_of_three_levels_is_built_by_hand(app, page, signed_in, settled, drinkers):
    signed_in(page, "marketer", "/segments?id=new")
    page.get_by_label("Name", exact=True).fill("Matcha drinkers")
    pick(page, "Field", "Postal code")
    pick(page, "Operator", "starts with")
    enter(page, "Value", "7755")
    chosen(page, "3")

    page.get_by_role("button", name="Add group").first.click()
    expect(page.get_by_role("combobox", name="Field", exact=True)).to_have_count(2)
    pick(page, "Field", "Purchases")
    page.get_by_role("button", name=re.compile("filter_alt")).last.click()
    values = page.get_by_role("combobox", name="Values")
    values.click()
    page.get_by_role("option", name=re.compile("Matcha")).click()
    page.keyboard.press("Escape")
    chosen(page, "2")
    enter(page, "Value", "2")
    chosen(page, "1")

    # None of, inside any of, inside all of: whoever did not click, which is everybody.
    page.get_by_role("button", name="Add group").first.click()
    expect(page.get_by_role("combobox", name="Field", exact=True)).to_have_count(3)
    settled(page)
    page.get_by_role("radio", name="None of").nth(2).click()
    expect(page.locator('[class*="st-key-rule-group-none-"]')).to_have_count(1)
    settled(page)
    pick(page, "Field", "Campaigns", number=2)
    pick(page, "Step", "clicked")
    chosen(page, "3")
    expect(page.get_by_text(SENTENCE).first).to_be_visible()

    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("combobox", name="Step")).to_have_value("opened")
    settled(page)
    page.get_by_role("button", name="Redo").click()
    expect(page.get_by_role("combobox", name="Step")).to_have_value(re.compile("clicked"))
    chosen(page, "3")

    page.get_by_role("button", name="Save segment").click()
    page.get_by_role("button", name="Edit rule").wait_for(timeout=20_000)
    settled(page)
    for _ in range(2):
        expect(page.get_by_text(SENTENCE).first).to_be_visible()
        expect(page.get_by_test_id("stMetric").filter(has_text="Customers").first).to_contain_text("3")
        page.reload()
        settled(page)
    with app.database.reading() as session:
        rule = session.scalar(select(Segment.rule).where(Segment.name == "Matcha drinkers"))
    within = {"last": 90, "unit": "day"}
    matcha = {"field": "category", "operator": "in", "value": ["Matcha"]}
    assert rule == {
        "all": [
            {"field": "postal_code", "operator": "starts_with", "value": "7755"},
            {
                "any": [
                    {"event": "purchase", "where": matcha, "measure": "count", "operator": "gte", "value": 2}
                    | {"within": within},
                    {"none": [{"campaign": "any", "did": "clicked"}]},
                ]
            },
        ]
    }


LONG = {
    "all": [
        {"event": "visit", "measure": "days_since_first", "operator": "lte", "value": 30},
        {"event": "visit", "measure": "count", "operator": "gte", "value": 1}
        | {"within": {"from": "2026-01-01", "to": "2026-06-30"}},
        {"field": "joined_on", "operator": "between", "value": ["2026-01-01", "2026-06-30"]},
        {"field": "lifetime_value", "operator": "between", "value": [100_000, 200_000]},
        {
            "any": [
                {"field": "birth_date", "operator": "anniversary_in_next", "value": 14, "unit": "day"},
                {"none": [{"campaign": "any", "did": "unsubscribed", "within": {"last": 1, "unit": "year"}}]},
            ]
        },
    ]
}
# What stands in boxes that are too narrow for it, and what reaches out of the group in which it stands.
CUT = """() => [
    ...[...document.querySelectorAll('[data-testid=stSelectbox] input, [data-testid=stNumberInput] input')]
        .filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.value),
    ...[...document.querySelectorAll('[data-testid=stDateInputFieldsScroller]')]
        .filter(box => box.querySelector('[data-type=day]').getBoundingClientRect().right
            > box.getBoundingClientRect().right).map(box => box.textContent)
]"""
OUTSIDE = """() => [...document.querySelectorAll('[class*=st-key-rule-group-]')].flatMap(group =>
    [...group.querySelectorAll('button, input')]
        .filter(one => one.getBoundingClientRect().right > group.getBoundingClientRect().right)
        .map(one => one.textContent || one.value))"""


def put_in(page, settled, rule):
    """Use a rule's JSON."""
    page.get_by_role("radio", name="JSON").click()
    page.get_by_label("Rule as JSON").fill(json.dumps(rule))
    page.get_by_role("button", name="Use this rule").click()
    expect(page.get_by_test_id("stDateInputField")).to_have_count(4)
    settled(page)


@pytest.mark.parametrize("width", [1440, 390])
def test_all_of_a_long_rule_can_be_read(app, page, signed_in, settled, width):
    page.set_viewport_size({"width": width, "height": 900})
    signed_in(page, "marketer", "/segments?id=new")
    put_in(page, settled, LONG)
    assert page.evaluate(CUT) == []
    assert page.evaluate(OUTSIDE) == []
    # The button of a number's spread stands beside the number.
    for button in page.locator('[class*="-spread-lifetime_value"]').all():
        box = page.get_by_label("to", exact=True).last
        assert abs(button.bounding_box()["y"] - box.bounding_box()["y"]) < 20


def test_a_number_out_of_range_reaches_the_rule_and_is_told(app, page, signed_in, settled):
    signed_in(page, "marketer", "/segments?id=new")
    pick(page, "Field", "Churn risk")
    enter(page, "Value", "80")
    expect(page.get_by_text("Type a number from 0 to 1.")).to_be_visible()
