"""What a rule means, in plain Python over dicts, written from docs/rules.md and not from the code it checks.

A customer is a dict of the columns of the customer table and of what they have and did (`doings.with_facts`);
a rule is its JSON.
"""

import hashlib
import unicodedata
from calendar import isleap
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
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
FOLDED = {"first_name", "last_name", "email", "city", "category"}
CODES = {"phone", "postal_code", "external_id", "product", "page", "reason"}
OF_LINES = {"category", "product", "quantity"}
MOMENTS = {"first_order", "last_order", "last_visit"}
DATES = {"birth_date", "joined_on"} | MOMENTS
TRIMMED = {"contains": str, "not_contains": str, "starts_with": str.lstrip, "ends_with": str.rstrip}
# Whoever has none of these never did what they are counted from: that is known.
NEVER = {"average_order", "favourite_category"} | MOMENTS


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
    if "in_segment" in rule and (inner := customer["segments"][rule["in_segment"]]):
        return truth(inner, customer, **when)
    if "value" in rule and rule.get("missing") != "match" and is_unknown(rule, customer, **when):
        return UNKNOWN
    return float(leaf(rule, customer, **when))


def is_unknown(rule: dict, customer: dict, **when) -> bool:
    """Whether what a condition compares is unknown about a customer, and not known never to have been."""
    return "field" in rule and rule["field"] not in NEVER and fact(rule, customer, **when) is None


def leaf(rule: dict, customer: dict, *, as_of: datetime, timezone: str) -> bool:
    """Whether one condition holds for a customer."""
    when = {"as_of": as_of, "timezone": timezone}
    match rule:
        case {"field": name}:
            own = customer["own_kinds"].get(name)
            return compared(rule, fact(rule, customer, **when), own or kind_of(name), **when)
        case {"event": _}:
            return compared(rule, measured(rule, customer, **when), "", **when)
        case {"campaign": which, "did": did}:
            happened = [o[DID[did]] for o in customer["outcomes"] if belongs(o, which, did)]
            return any(at is not None and in_period(at, rule, **when) for at in happened)
        case {"in_segment": number}:
            inner = customer["segments"][number]
            if inner is None:
                entered = customer["lists"].get(number)
                return entered is not None and entered <= as_of
            return chooses(inner, customer, **when)
        case {"random": name, "from": start, "to": end}:
            first, last = (Fraction(str(percent)) * 10_007 for percent in (start, end))
            return first <= place(name, customer["split_bucket"]) * 100 < last
    raise AssertionError(rule)


@cache
def local(moment: datetime, timezone: str) -> date:
    return moment.astimezone(ZoneInfo(timezone)).date()


def kind_of(name: str) -> str:
    kinds = {"date": DATES, "text": FOLDED, "code": CODES, "list": {"tags"}}
    return next((kind for kind, names in kinds.items() if name in names), "")


def fact(rule: dict, customer: dict, *, as_of: datetime, timezone: str):
    """What a customer has in a field; None for nothing."""
    name = rule["field"]
    if name in customer["own_kinds"]:
        return customer["own"].get(name)
    if name == "tags":
        return customer["tags"] or None
    if name.startswith("consent_"):
        return consent(customer, name, as_of)
    value = customer[COLUMNS.get(name, name)]
    today = local(as_of, timezone)
    if value is not None and name == "age":
        return today.year - value.year - ((today.month, today.day) < (value.month, value.day))
    return local(value, timezone) if value is not None and name in MOMENTS else value


def consent(customer: dict, name: str, as_of: datetime) -> bool:
    changes = customer["consents"][name.removeprefix("consent_")]
    if not changes:
        return customer[name]
    before = [change for change in changes if change["at"] <= as_of]
    return max(before, key=lambda change: (change["at"], change["id"]))["allowed"] if before else False


def compared(rule: dict, value, kind: str, *, as_of: datetime, timezone: str) -> bool:
    """Whether a value fulfils a condition; an unknown one only where missing matches."""
    operator = rule["operator"]
    if operator == "is_missing":
        return value is None
    if operator == "is_set":
        return value is not None
    if value is None:
        return rule.get("missing") == "match"
    wanted = rule["value"]
    match kind:
        case "date":
            return on_days(operator, value, wanted, rule.get("unit"), local(as_of, timezone))
        case "text":
            return on_text(operator, plain(value), each(lambda text: asked(text, operator), wanted))
        case "code":
            return on_text(operator, small(value), each(lambda text: small(trimmed(text, operator)), wanted))
        case "list":
            return on_lists(operator, set(each(plain, value)), set(each(plain, wanted)))
    return on_values(operator, value, wanted)


def on_lists(operator: str, items: set, wanted: set) -> bool:
    match operator:
        case "has_any":
            return bool(items & wanted)
        case "has_all":
            return wanted <= items
        case "has_none":
            return not items & wanted
    raise AssertionError(operator)


# Events and campaigns


def in_period(at: datetime, rule: dict, *, as_of: datetime, timezone: str) -> bool:
    """Whether an instant lies in a rule's period, by calendar days, and not after `as_of`."""
    day, today, within = local(at, timezone), local(as_of, timezone), rule.get("within", {})
    first = date.fromisoformat(within["from"]) if "from" in within else day
    last = date.fromisoformat(within["to"]) if "to" in within else day
    if "last" in within:
        first = today - relativedelta(**{f"{within['unit']}s": within["last"]})
    return at <= as_of and first <= day <= last


def measured(rule: dict, customer: dict, **when):
    """The measure over a customer's events; None where there is nothing to measure."""
    amounts, instants = [], []
    for event in customer["events"]:
        if event["event"] != rule["event"] or not in_period(event["at"], rule, **when):
            continue
        amount = fulfils(event, rule.get("where", {"all": []}), **when)
        if amount is not None:
            amounts.append(amount)
            instants.append(local(event["at"], when["timezone"]))
    if rule["measure"] in ("count", "sum"):
        return len(amounts) if rule["measure"] == "count" else sum(amounts)
    if not amounts:
        return None
    today = local(when["as_of"], when["timezone"])
    return {
        "avg": Fraction(sum(amounts), len(amounts)),
        "min": min(amounts),
        "max": max(amounts),
        "days_since_last": (today - max(instants)).days,
        "days_since_first": (today - min(instants)).days,
    }[rule["measure"]]


def fulfils(event: dict, where: dict, **when) -> int | None:
    """The amount of what fulfils a condition in an event, 0 where it has none; None if nothing does.

    What was given back counts as positive.
    """
    sign = -1 if event["event"] == "refund" else 1
    if "order_amount" in event:
        event = event | {"order_amount": sign * event["order_amount"]}
    conditions = where.get("all", [where])
    of_lines = [condition for condition in conditions if condition["field"] in OF_LINES]

    def hold(tested: list[dict], values: dict) -> bool:
        return all(compared(c, values[c["field"]], kind_of(c["field"]), **when) for c in tested)

    if not hold([condition for condition in conditions if condition not in of_lines], event):
        return None
    if not of_lines:
        return event.get("order_amount", 0)
    lines = [line for line in event["lines"] if hold(of_lines, line)]
    return sign * sum(line["amount"] for line in lines) if lines else None


DID = {"was_sent": "sent_at"} | {
    did: f"{did}_at" for did in ("delivered", "opened", "clicked", "converted", "unsubscribed")
}


def belongs(outcome: dict, which, did: str) -> bool:
    """Whether a message is meant; who was held out got none."""
    if outcome["arm"] == "holdout":
        return False
    if isinstance(which, dict):
        return outcome["channel"] == which["channel"]
    return which in ("any", outcome["campaign_id"])


def place(name: str, bucket: int) -> int:
    """Where a customer stands in a named split: 0 to 10,006."""
    factor, shift = split(name)
    return factor * (bucket + shift) ** 3 % 10_007


@cache
def split(name: str) -> tuple[int, int]:
    digest = hashlib.sha256(plain(name).encode()).hexdigest()
    return int(digest[:16], 16) % 10_006 + 1, int(digest[16:32], 16) % 10_007


def each(change, wanted):
    return [change(item) for item in wanted] if isinstance(wanted, list) else change(wanted)


@cache
def plain(text: str) -> str:
    """Without regard to case or Unicode form, or to spaces around."""
    return folded(text).strip()


def folded(text: str) -> str:
    """Without regard to case or Unicode form."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def asked(text: str, operator: str) -> str:
    """What is looked for: a whole text, or a part of one, in which spaces are looked for too."""
    return folded(trimmed(text, operator)) if operator in TRIMMED else plain(text)


def trimmed(text: str, operator: str) -> str:
    """Without the spaces beside which no word can stand."""
    return TRIMMED.get(operator, str.strip)(text)


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
