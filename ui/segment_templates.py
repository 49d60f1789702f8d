"""Rules to start from."""

from collections.abc import Iterable
from dataclasses import dataclass

from ma.money import unit
from ma.types import Channel

EVERYBODY = {"field": "orders", "operator": "gte", "value": 0}
_CART = ("cart", "basket", "checkout")


@dataclass(frozen=True)
class Template:
    """A rule to start from, with the sentence that says what it is good for."""

    name: str
    purpose: str
    rule: dict


def templates(currency: str, events: Iterable[str] = ()) -> dict[str, Template]:
    """The usual segments by name; some are offered only where the data have such events."""
    found = [
        Template("New customers", "Welcome them while they are curious.", _any(_joined(30), _first(30))),
        Template(
            "Loyal",
            "They buy often and were here recently: thank them, ask them to bring a friend.",
            _all(_orders("gte", 24), _last("in_last", 1, "month")),
        ),
        Template(
            "At risk",
            "Good customers who are late: remind them before they are gone.",
            _all(_orders("gte", 6), _last("more_than_ago", 3, "week"), _last("in_last", 2, "month")),
        ),
        Template(
            "Lapsed",
            "They used to buy and have stopped: win them back.",
            _all(_orders("gte", 3), _last("more_than_ago", 2, "month")),
        ),
        Template(
            "Big spenders",
            "They have spent the most so far: look after them.",
            _all({"field": "lifetime_value", "operator": "gte", "value": 3000 * unit(currency)}),
        ),
        Template(
            "Second purchase missing",
            "They bought once and did not come back: the second order makes a customer.",
            _all(_orders("eq", 1), _window("first_order", "more_than_ago", 30)),
        ),
        Template(
            "Engaged but never bought",
            "They look around and have not ordered yet: help them with the first step.",
            _all(_orders("eq", 0), {"field": "visits", "operator": "gte", "value": 3}),
        ),
        Template(
            "Opened but did not buy",
            "Your messages interest them, your offers did not: try another one.",
            _all(_did("opened", 90), {"none": [_bought(90)]}),
        ),
        Template(
            "Birthday soon",
            "Congratulate them in time.",
            _all(_window("birth_date", "anniversary_in_next", 14)),
        ),
        Template(
            "No consent yet",
            "You may not write to them: ask for their consent when they are in touch.",
            {"none": [_allows(channel) for channel in Channel]},
        ),
    ]
    if cart := next((name for name in sorted(events) if any(word in name.lower() for word in _CART)), None):
        found.insert(4, _abandoners(cart))
    found.append(Template("Everybody", "All customers, to begin with.", _all(EVERYBODY)))
    return {template.name: template for template in found}


def _abandoners(cart: str) -> Template:
    filled = {"event": cart, "measure": "count", "operator": "gte", "value": 1}
    return Template(
        "Cart abandoners",
        "They put something into the cart and did not buy: remind them.",
        _all(filled | {"within": {"last": 14, "unit": "day"}}, {"none": [_bought(14)]}),
    )


def _all(*rules: dict) -> dict:
    return {"all": list(rules)}


def _any(*rules: dict) -> dict:
    return {"any": list(rules)}


def _orders(operator: str, value: int) -> dict:
    return {"field": "orders", "operator": operator, "value": value}


def _window(field: str, operator: str, count: int, unit: str = "day") -> dict:
    return {"field": field, "operator": operator, "value": count, "unit": unit}


def _last(operator: str, count: int, unit: str) -> dict:
    return _window("last_order", operator, count, unit)


def _joined(days: int) -> dict:
    return _window("joined_on", "in_last", days)


def _first(days: int) -> dict:
    return _window("first_order", "in_last", days)


def _did(step: str, days: int) -> dict:
    return {"campaign": "any", "did": step, "within": {"last": days, "unit": "day"}}


def _bought(days: int) -> dict:
    within = {"last": days, "unit": "day"}
    return {"event": "purchase", "measure": "count", "operator": "gte", "value": 1, "within": within}


def _allows(channel: str) -> dict:
    return {"field": f"consent_{channel}", "operator": "eq", "value": True}
