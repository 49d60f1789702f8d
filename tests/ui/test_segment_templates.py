"""Rules to start from: each one is right, and is offered only where it can choose somebody."""

import pytest

from ma.rules.catalogue import Catalogue
from ma.rules.check import parse
from ma.rules.events import EVENTS, behaviour
from ma.rules.to_english import english
from ui.segment_templates import templates

CART = "add_to_cart"
WITH_CART = Catalogue(events={**EVENTS, CART: behaviour(CART)})


@pytest.mark.parametrize("name", list(templates("EUR", WITH_CART.events)))
def test_every_template_is_a_right_rule_with_a_sentence_of_purpose(name):
    template = templates("EUR", WITH_CART.events)[name]
    sentence = english(parse(template.rule, WITH_CART), currency="EUR", catalogue=WITH_CART)
    assert sentence.startswith("Customers ")
    assert template.purpose.endswith(".")


def test_cart_abandoners_are_offered_only_where_carts_are_recorded():
    assert "Cart abandoners" not in templates("EUR", EVENTS)
    rule = templates("EUR", WITH_CART.events)["Cart abandoners"].rule
    assert rule["all"][0]["event"] == CART


def test_amounts_are_in_the_workspaces_currency():
    [euros] = templates("EUR")["Big spenders"].rule["all"]
    [yen] = templates("JPY")["Big spenders"].rule["all"]
    assert (euros["value"], yen["value"]) == (300_000, 3_000)
