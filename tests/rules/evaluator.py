"""What a rule means, in plain Python over dicts, written from docs/rules.md and not from the code it checks.

A customer is a dict of the columns of the customer table; a rule is its JSON.
"""

import unicodedata
from calendar import isleap
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

COLUMNS = {
    "lifetime_value": "spend_minor",
    "average_order": "average_order_minor",
    "first_order": "first_order_at",
    "last_order": "last_order_at",
    "last_visit": "last_visit_at",
    "age": "birth_date",
}
FOLDED = {"first_name", "last_name", "email", "city"}
CODES = {"phone", "postal_code", "external_id"}
MOMENTS = {"first_order", "last_order", "last_visit"}
DATES = {"birth_date", "joined_on"} | MOMENTS


def chooses(rule: dict, customer: dict, *, as_of: datetime, timezone: str) -> bool:
    """Whether a rule chooses a customer."""

    def holds(inner: dict) -> bool:
        return chooses(inner, customer, as_of=as_of, timezone=timezone)

    if "all" in rule:
        return not any(not holds(inner) for inner in rule["all"])
    if "any" in rule:
        return any(holds(inner) for inner in rule["any"])
    if "none" in rule:
        return sum(holds(inner) for inner in rule["none"]) == 0
    if "not" in rule:
        return not holds(rule["not"])
    return leaf(rule, customer, as_of=as_of, timezone=timezone)


def is_undecided(rule: dict, customer: dict, *, as_of: datetime, timezone: str) -> bool:
    """Whether it is missing data that leaves a rule open, by Kleene's three-valued logic."""
    return truth(rule, customer, as_of=as_of, timezone=timezone) == UNKNOWN


UNKNOWN = 0.5


def truth(rule: dict, customer: dict, **when) -> float:
    """1 for true, 0 for false, a half for unknown."""
    match rule:
        case {"all": rules}:
            return min(truth(inner, customer, **when) for inner in rules)
        case {"any": rules}:
            return max(truth(inner, customer, **when) for inner in rules)
        case {"none": rules}:
            return 1 - max(truth(inner, customer, **when) for inner in rules)
        case {"not": inner}:
            return 1 - truth(inner, customer, **when)
    lacking = customer[COLUMNS.get(rule["field"], rule["field"])] is None
    if lacking and "value" in rule and rule.get("missing") != "match":
        return UNKNOWN
    return float(leaf(rule, customer, **when))


def leaf(rule: dict, customer: dict, *, as_of: datetime, timezone: str) -> bool:
    """Whether one condition holds for a customer."""
    name, operator = rule["field"], rule["operator"]
    value = customer[COLUMNS.get(name, name)]
    if operator == "is_missing":
        return value is None
    if operator == "is_set":
        return value is not None
    if value is None:
        return rule.get("missing") == "match"
    today = as_of.astimezone(ZoneInfo(timezone)).date()
    if name == "age":
        value = today.year - value.year - ((today.month, today.day) < (value.month, value.day))
    if name in MOMENTS:
        value = value.astimezone(ZoneInfo(timezone)).date()
    wanted = rule["value"]
    if name in DATES:
        return on_days(operator, value, wanted, rule.get("unit"), today)
    if name in FOLDED:
        return on_text(operator, plain(value), each(plain, wanted))
    if name in CODES:
        return on_text(operator, small(value), each(lambda text: small(text.strip()), wanted))
    return on_values(operator, value, wanted)


def each(change, wanted):
    return [change(item) for item in wanted] if isinstance(wanted, list) else change(wanted)


def plain(text: str) -> str:
    """Without regard to case or Unicode form, or to spaces around."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text).strip()


def small(text: str) -> str:
    """Without regard to the case of A-Z only."""
    return text.translate({capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)})


def on_text(operator: str, text: str, wanted) -> bool:
    match operator:
        case "contains":
            return wanted in text
        case "not_contains":
            return wanted not in text
        case "starts_with":
            return text.startswith(wanted)
        case "ends_with":
            return text.endswith(wanted)
        case _:
            return on_values(operator, text, wanted)


def on_values(operator: str, value, wanted) -> bool:
    match operator:
        case "eq":
            return value == wanted
        case "ne":
            return value != wanted
        case "in":
            return value in wanted
        case "not_in":
            return value not in wanted
        case "gt":
            return value > wanted
        case "gte":
            return value >= wanted
        case "lt":
            return value < wanted
        case "lte":
            return value <= wanted
        case "between":
            return wanted[0] <= value <= wanted[1]
    raise AssertionError(operator)


def on_days(operator: str, day: date, wanted, unit: str | None, today: date) -> bool:
    match operator:
        case "on":
            return day == date.fromisoformat(wanted)
        case "before":
            return day < date.fromisoformat(wanted)
        case "after":
            return day > date.fromisoformat(wanted)
        case "between":
            return date.fromisoformat(wanted[0]) <= day <= date.fromisoformat(wanted[1])
    length = relativedelta(**{f"{unit}s": wanted})
    match operator:
        case "in_last":
            return today - length <= day <= today
        case "more_than_ago":
            return day < today - length
        case "in_next":
            return today <= day <= today + length
        case "anniversary_in_next":
            days = min((today + length - today).days, 366)
            return any(anniversary(day, today + timedelta(days=n)) for n in range(days + 1))
    raise AssertionError(operator)


def anniversary(born: date, day: date) -> bool:
    """29 February is celebrated on 1 March where there is none: the day on which the age grows."""
    if (born.month, born.day) == (2, 29) and not isleap(day.year):
        return (day.month, day.day) == (3, 1)
    return (day.month, day.day) == (born.month, born.day)
