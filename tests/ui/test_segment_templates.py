"""Rules to start from: each one is right, and is offered only where it can choose somebody."""

import pytest

from ma.analytics.buying_levels import BuyingLevels, Level, Pause
from ma.rules.catalogue import Catalogue
from ma.rules.check import parse
from ma.rules.events import EVENTS, behaviour
from ma.rules.to_english import english
from ui.segment_templates import build

CART = "add_to_cart"
WITH_CART = Catalogue(events={**EVENTS, CART: behaviour(CART)})
LEVELS = BuyingLevels(
    usual_orders=Level(40, 0.52), many_orders=Level(90, 0.26), high_spend=Level(430_000, 0.104),
    pause=Pause(6, "week"),
)  # fmt: skip


@pytest.mark.parametrize("name", list(build("EUR", WITH_CART.events, LEVELS)))
def test_every_template_is_a_right_rule_with_a_sentence_of_purpose(name):
    template = build("EUR", WITH_CART.events, LEVELS)[name]
    sentence = english(parse(template.rule, WITH_CART), currency="EUR", catalogue=WITH_CART)
    assert sentence.startswith("Customers ")
    assert template.purpose.endswith(".")


def test_cart_abandoners_are_offered_only_where_carts_are_recorded():
    lacking = build("EUR", EVENTS, LEVELS)["Cart abandoners"]
    assert (lacking.rule, "add_to_cart" in lacking.needs) == (None, True)
    rule = build("EUR", WITH_CART.events, LEVELS)["Cart abandoners"].rule
    assert rule["all"][0]["event"] == CART


@pytest.mark.parametrize(
    ("events", "chosen"),
    [
        (["add_to_cart", "cart_abandoned"], "cart_abandoned"),
        (["basket_emptied", "checkout_completed", "begin_checkout"], "begin_checkout"),
        (["basket_emptied", "checkout_completed", "cart_remove", "form_abandoned"], None),
    ],
)
def test_an_event_that_leaves_no_cart_is_not_taken_for_one(events, chosen):
    rule = build("EUR", events, LEVELS)["Cart abandoners"].rule
    assert (rule and rule["all"][0]["event"]) == chosen


def test_what_is_much_and_late_is_that_of_the_workspace_and_is_said():
    found = build("EUR", (), LEVELS)
    assert found["Loyal"].rule["all"] == [
        {"field": "orders", "operator": "gte", "value": 90},
        {"field": "last_order", "operator": "in_last", "value": 6, "unit": "week"},
    ]
    assert "at least 90 orders (26 % of buyers) and were here within 6 weeks" in found["Loyal"].purpose
    assert [leaf["value"] for leaf in found["At risk"].rule["all"]] == [40, 6, 12]
    assert [leaf["value"] for leaf in found["Lapsed"].rule["all"]] == [2, 12]
    [spend] = found["Big spenders"].rule["all"]
    assert spend["value"] == 430_000
    # As Markdown: a dollar sign would open a formula.
    assert r"at least \$4,300 (10 % of buyers)" in build("USD", (), LEVELS)["Big spenders"].purpose
    assert "¥430,000" in build("JPY", (), LEVELS)["Big spenders"].purpose


@pytest.mark.parametrize("levels", [None, BuyingLevels(Level(2, 0.0), Level(2, 0.0), None, None)])
def test_without_orders_the_templates_of_buyers_say_what_they_need(levels):
    lacking = {name for name, one in build("EUR", (), levels).items() if not one.rule}
    assert lacking == {"Loyal", "At risk", "Lapsed", "Big spenders", "Cart abandoners"}
    assert all(build("EUR", (), levels)[name].needs.startswith("Needs ") for name in lacking)
