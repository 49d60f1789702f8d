"""Rules to start from, with what is much and what is late in the workspace's own data."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ma.analytics.buying_levels import BuyingLevels, Level, Pause, buying_levels
from ma.charts.theme import percent
from ma.rules.to_english import amount
from ma.types import Channel
from ui.kept import kept
from ui.session import now, reading
from ui.text import literal

EVERYBODY = {"field": "orders", "operator": "gte", "value": 0}
_CART, _NO_CART_LEFT = ("cart", "basket", "checkout"), ("complete", "empt", "remov", "success")
_BUYERS = "Needs customers who have bought: import purchases."
_COME_BACK = "Needs customers who have bought more than once: import purchases."
_CARTS = "Needs events of carts, such as add_to_cart or cart_abandoned: import them as events."


@dataclass(frozen=True)
class Template:
    """A rule to start from, with the sentence that says what it is good for (Markdown).

    Where the data cannot carry it `needs` says what they lack, and there is no rule.
    """

    name: str
    purpose: str
    rule: dict | None
    needs: str = ""


def templates(currency: str, events: Iterable[str] = ()) -> dict[str, Template]:
    """The usual segments by name, those that the data can carry."""
    return {name: one for name, one in all_templates(currency, events).items() if one.rule}


def all_templates(currency: str, events: Iterable[str] = ()) -> dict[str, Template]:
    """The usual segments by name, those that lack data too."""
    return build(currency, events, kept(("buying levels",), now(), _levels).value)


def _levels() -> BuyingLevels | None:
    with reading() as session:
        return buying_levels(session)


def build(currency: str, events: Iterable[str], levels: BuyingLevels | None) -> dict[str, Template]:
    """The same for these kinds of events and these levels."""
    found = [
        Template("New customers", "Welcome them while they are curious.", _any(_joined(30), _first(30))),
        *_by_level(currency, levels),
        _abandoners(events),
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
    found.append(Template("Everybody", "All customers, to begin with.", _all(EVERYBODY)))
    return {template.name: template for template in found}


def _by_level(currency: str, levels: BuyingLevels | None) -> list[Template]:
    return [*_by_orders(levels), _spenders(currency, levels)]


def _by_orders(levels: BuyingLevels | None) -> list[Template]:
    if levels is None or levels.pause is None:
        return [
            Template("Loyal", "They buy often and were here recently: thank them.", None, _COME_BACK),
            Template("At risk", "Good customers who are late: remind them.", None, _COME_BACK),
            Template("Lapsed", "They used to buy and have stopped: win them back.", None, _COME_BACK),
        ]
    many, usual, pause = levels.many_orders, levels.usual_orders, levels.pause
    twice = replace(pause, count=2 * pause.count)
    return [
        Template(
            "Loyal",
            f"{_have(many)} and were here within {_words(pause)}: thank them.",
            _all(_orders("gte", many.at_least), _last("in_last", pause)),
        ),
        Template(
            "At risk",
            f"{_have(usual)} but are away for over {_words(pause)}, when nine in ten are back: remind them.",
            _all(_orders("gte", usual.at_least), _last("more_than_ago", pause), _last("in_last", twice)),
        ),
        Template(
            "Lapsed",
            f"They came back before but are away for over {_words(twice)}, twice what nine in ten take: win "
            "them back.",
            _all(_orders("gte", 2), _last("more_than_ago", twice)),
        ),
    ]


def _have(level: Level) -> str:
    return f"They have at least {level.at_least:,} orders ({_share(level)})"


def _spenders(currency: str, levels: BuyingLevels | None) -> Template:
    if levels is None or levels.high_spend is None:
        return Template("Big spenders", "They have spent the most: look after them.", None, _BUYERS)
    high = levels.high_spend
    return Template(
        "Big spenders",
        f"They have spent at least {literal(amount(high.at_least, currency))} ({_share(high)}): look after "
        "them.",
        _all({"field": "lifetime_value", "operator": "gte", "value": high.at_least}),
    )


def _share(level: Level) -> str:
    return f"{percent(level.share, 0)} of buyers"


def _words(pause: Pause) -> str:
    return f"{pause.count} {pause.unit}{'' if pause.count == 1 else 's'}"


def _abandoners(events: Iterable[str]) -> Template:
    purpose = "They put something into the cart and did not buy: remind them."
    carts = [name for name in sorted(events) if _is_cart(name.lower())]
    if not carts:
        return Template("Cart abandoners", purpose, None, _CARTS)
    # Where the shop itself says that a cart was left, that is the event.
    cart = next((name for name in carts if "abandon" in name.lower()), carts[0])
    filled = {"event": cart, "measure": "count", "operator": "gte", "value": 1}
    rule = _all(filled | {"within": {"last": 14, "unit": "day"}}, {"none": [_bought(14)]})
    return Template("Cart abandoners", purpose, rule)


def _is_cart(name: str) -> bool:
    return any(word in name for word in _CART) and not any(word in name for word in _NO_CART_LEFT)


def _all(*rules: dict) -> dict:
    return {"all": list(rules)}


def _any(*rules: dict) -> dict:
    return {"any": list(rules)}


def _orders(operator: str, value: int) -> dict:
    return {"field": "orders", "operator": operator, "value": value}


def _window(field: str, operator: str, count: int, unit: str = "day") -> dict:
    return {"field": field, "operator": operator, "value": count, "unit": unit}


def _last(operator: str, pause: Pause) -> dict:
    return _window("last_order", operator, pause.count, pause.unit)


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
