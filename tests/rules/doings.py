"""What the customers of `people` did and have: rows of every table that rules look into.

`facts()` gives the rows by table; `with_facts` puts the same into the customers' dicts, for the evaluator.
"""

import random
from collections import defaultdict
from datetime import datetime, timedelta
from functools import cache

from ma.models import (
    Attribute,
    AttributeValue,
    BehaviourEvent,
    Campaign,
    Category,
    ConsentChange,
    CustomerFact,
    CustomerScore,
    CustomerTag,
    Outcome,
    Purchase,
    PurchaseLine,
    Segment,
    SegmentMember,
    Tag,
    ValueModel,
)
from ma.rules.fields import Field, Kind, Rows
from ma.text import fold
from ma.types import Channel
from tests.rules.people import CHOICES, CODES, INSTANTS, PEOPLE, TEXTS, customers

CATEGORIES = ["Wine", "Straße", "ΣΊΣΥΦΟΣ", "50%"]
TAGS = ["VIP", "Straße", "a_b", "50%"]
AMOUNTS = [-500, 0, 1, 333, 800, 10_000]
STEPS = ["sent_at", "delivered_at", "opened_at", "clicked_at", "converted_at", "unsubscribed_at"]
REASONS = ["conversion", "hot_click", "complaint"]
TOLD = ["lead_opened", "lead_won", "lead_lost", "ticket_opened", "ticket_closed", "suppressed"]
CHANNELS = ["email", "sms", "email", "push"]
# What the value models say, by the name of the field and of its column.
SCORES = {
    name: f"{name}_minor" if name == "expected_value" else name
    for name in (
        "rfm_segment", "recency_score", "frequency_score", "monetary_score", "churn_risk", "order_chance",
        "expected_orders", "expected_value", "next_channel", "next_offer",
    )
}  # fmt: skip
OWN_KINDS = {1: "text", 2: "number", 3: "yes_no", 4: "date", 5: "list"}
# A static list, one rule with missing data in it, one over events, and one that uses all of these twice.
SEGMENTS = {
    1: None,
    2: {"any": [{"field": "age", "operator": "lt", "value": 40}, {"not": {"in_segment": 1}}]},
    3: {"event": "purchase", "measure": "avg", "operator": "gte", "value": 300},
    4: {
        "any": [
            {"all": [{"in_segment": 2}, {"in_segment": 3}]},
            {"none": [{"in_segment": 2}, {"in_segment": 1}]},
        ]
    },
}


def _own(number: int, kind: Kind, column) -> Field:
    rows = Rows(AttributeValue.customer_id, (AttributeValue.attribute_id == number,))
    return Field(f"attribute:{number}", f"own {number}", kind, column, "", low=0, high=100, rows=rows)


OWN = [
    _own(1, Kind.TEXT, AttributeValue.text_folded),
    _own(2, Kind.NUMBER, AttributeValue.number),
    _own(3, Kind.YES_NO, AttributeValue.flag),
    _own(4, Kind.DATE, AttributeValue.day),
    _own(5, Kind.LIST, AttributeValue.text_folded),
]


class _Chance(random.Random):
    def maybe(self, value, share: float = 0.3):
        return None if self.random() < share else value

    def instant(self) -> datetime:
        near = [timedelta(0), timedelta(microseconds=-1), timedelta(microseconds=1)]
        far = timedelta(hours=self.randint(-24 * 200, 24 * 20))
        return self.choice(INSTANTS) + self.choice([*near, far, far, far])


@cache
def facts() -> dict:
    """The same rows each time: [(table, [row])] in an order in which they can be inserted."""
    chance = _Chance(4)
    made = {"by": "test", "at": INSTANTS[0]}
    author = {"created_by": made["by"], "created_at": made["at"]}
    tables = {
        Category: [{"id": i, "name": n, "name_folded": fold(n)} for i, n in enumerate(CATEGORIES, 1)],
        Tag: [
            {"id": i, "name": n, "name_folded": fold(n), "created_at": made["at"]}
            for i, n in enumerate(TAGS, 1)
        ],
        Attribute: [
            {"id": i, "name": f"own {i}", "name_folded": f"own {i}", "kind": kind, "choices": []} | author
            for i, kind in OWN_KINDS.items()
        ],
        Segment: [
            {"id": i, "name": f"s{i}", "name_folded": f"s{i}", "description": "", "rule": rule}
            | {"static": rule is None, "updated_at": made["at"], "version": 1}
            | author
            for i, rule in SEGMENTS.items()
        ],
        Campaign: [
            {"id": i, "name": f"c{i}", "name_folded": f"c{i}", "channel": channel, "status": "completed"}
            | {"source": "simulated", "conversion_window_days": 7, "steps": "", "updated_at": made["at"]}
            | author
            for i, channel in enumerate(CHANNELS, 1)
        ],
        ValueModel: [
            {"id": 1, "as_of": made["at"], "status": "good", "problems": [], "parameters": {}, "figures": {}}
            | {"customers": 1, "repeat_customers": 1, "duration_ms": 1, "created_by": "test"}
        ],
        CustomerScore: _scores(),
        CustomerTag: [],
        AttributeValue: [],
        SegmentMember: [],
        Purchase: [],
        PurchaseLine: [],
        BehaviourEvent: [],
        Outcome: [],
        ConsentChange: [],
        CustomerFact: [],
    }
    allowed_now = customers().set_index("id")
    for customer_id in [*range(1, PEOPLE + 1), None]:
        _buy(tables, chance, customer_id, chance.randint(0, 6) if customer_id else 30)
        if customer_id is not None:
            _describe(tables, chance, customer_id)
            _visit(tables, chance, customer_id)
            _be_written_to(tables, chance, customer_id)
            _consent(tables, chance, customer_id, allowed_now.loc[customer_id])
    # A chance of its own: what was drawn before stays as it was.
    chance = _Chance(5)
    for customer_id in range(1, PEOPLE + 1):
        _sell(tables, chance, customer_id)
    return tables


def _scores() -> list[dict]:
    """Scores of three customers in four, some of whom have none of a model."""
    chance, rows = _Chance(7), []
    for customer_id in range(1, PEOPLE + 1):
        share = chance.random()
        row = {"rfm_segment": chance.choice(CHOICES), "next_channel": chance.choice(CHOICES)}
        row |= {f"{name}_score": chance.randint(1, 5) for name in ("recency", "frequency", "monetary")}
        row |= {name: chance.choice([0.0, 0.1, 0.25, 0.5, 1.0]) for name in ("churn_risk", "order_chance")}
        row |= {"expected_orders": chance.choice([0.0, 12.5, 50.0, 99.999])}
        row |= {"expected_value_minor": chance.choice([0, 1, 799, 800, 80_000, 2**62])}
        row |= {"next_offer": chance.choice(TEXTS)}
        row = {name: chance.maybe(value, 0.2 if share < 0.5 else 1) for name, value in row.items()}
        if share < 0.75:
            rows.append(row | {"customer_id": customer_id, "model_id": 1, "scored_at": INSTANTS[0]})
    return rows


def _describe(tables: dict, chance: _Chance, customer_id: int) -> None:
    for tag in range(1, len(TAGS) + 1):
        if chance.random() < 0.3:
            row = {"tag_id": tag, "customer_id": customer_id, "at": INSTANTS[0], "actor": "test"}
            tables[CustomerTag].append(row)
    if chance.random() < 0.4:
        tables[SegmentMember].append(
            {"segment_id": 1, "customer_id": customer_id, "entered_at": chance.instant()}
        )
    text, day = chance.choice(TEXTS), chance.instant().date()
    items = chance.sample(TEXTS, chance.randint(1, 4))
    values = {
        1: [{"text": text, "text_folded": fold(text)}],
        2: [{"number": chance.choice([0.0, 12.5, 50.0, 99.999])}],
        3: [{"flag": chance.random() < 0.5}],
        4: [{"day": day}],
        5: [{"text": item, "text_folded": fold(item)} for item in items],
    }
    empty = {"text": None, "text_folded": None, "number": None, "flag": None, "day": None}
    for attribute_id, found in values.items():
        key = {"attribute_id": attribute_id, "customer_id": customer_id}
        if chance.random() < 0.7:
            rows = [empty | key | {"position": i} | value for i, value in enumerate(found)]
            tables[AttributeValue].extend(rows)


def _buy(tables: dict, chance: _Chance, customer_id: int | None, orders: int) -> None:
    for _ in range(orders):
        purchase_id = len(tables[Purchase]) + 1
        kind = chance.choice(["sale", "sale", "sale", "refund"])
        tables[Purchase].append(
            {"id": purchase_id, "customer_id": customer_id, "kind": kind, "at": chance.instant()}
            | {"amount_minor": chance.choice(AMOUNTS)}
        )
        for line in range(chance.randint(0, 3)):
            tables[PurchaseLine].append(
                {"purchase_id": purchase_id, "line": line, "quantity": chance.randint(-1, 3)}
                | {"category_id": chance.maybe(chance.randint(1, len(CATEGORIES)), 0.2)}
                | {"product": chance.maybe(chance.choice(CODES)), "amount_minor": chance.choice(AMOUNTS)}
            )


def _visit(tables: dict, chance: _Chance, customer_id: int) -> None:
    for _ in range(chance.randint(0, 3)):
        tables[BehaviourEvent].append(
            {"customer_id": customer_id, "kind": chance.choice(["visit", "visit", "cart_abandoned"])}
            | {"at": chance.instant(), "page": chance.maybe(chance.choice(CODES))}
            | {"device": chance.maybe(chance.choice(["mobile", "Desktop"]))}
        )


def _sell(tables: dict, chance: _Chance, customer_id: int) -> None:
    for _ in range(chance.randint(0, 6)):
        kind = chance.choice(TOLD)
        amount = abs(chance.choice(AMOUNTS)) if kind == "lead_won" else None
        tables[CustomerFact].append(
            {"customer_id": customer_id, "kind": kind, "module": "sales", "at": chance.instant()}
            | {"detail": chance.maybe(chance.choice(REASONS)), "amount_minor": amount}
            | {"channel": chance.maybe(chance.choice(CHANNELS))}
        )


def _be_written_to(tables: dict, chance: _Chance, customer_id: int) -> None:
    for campaign_id in range(1, len(CHANNELS) + 1):
        if chance.random() < 0.5:
            continue
        row = {"campaign_id": campaign_id, "customer_id": customer_id, "variant": "A", "wave": 1}
        row |= {"source": "simulated", "assigned_at": INSTANTS[0]}
        row |= {"arm": chance.choice(["treated", "treated", "holdout"])} | dict.fromkeys(STEPS)
        at = chance.instant()
        for step in STEPS:
            if row["arm"] == "treated" or step == "converted_at":
                row[step] = chance.maybe(at, 0 if step == "sent_at" else 0.4)
            at += timedelta(hours=chance.randint(0, 40))
        tables[Outcome].append(row)


def _consent(tables: dict, chance: _Chance, customer_id: int, now) -> None:
    for channel in Channel:
        instants = sorted(chance.instant() for _ in range(chance.randint(0, 3)))
        if len(instants) > 1 and chance.random() < 0.2:
            instants[0] = instants[1]
        for number, at in enumerate(instants, 1):
            is_last = number == len(instants)
            allowed = bool(now[f"consent_{channel}"]) if is_last else chance.random() < 0.5
            tables[ConsentChange].append(
                {"id": len(tables[ConsentChange]) + 1, "customer_id": customer_id, "allowed": allowed}
                | {"channel": channel.value, "at": at, "source": "form", "actor": "test"}
            )


def with_facts(people: list[dict]) -> list[dict]:
    """The customers' dicts with what they have and did, in the evaluator's words."""
    tables, of = facts(), {person["id"]: person for person in people}
    for person in people:
        person |= {"own": {}, "tags": [], "events": [], "outcomes": [], "lists": {}, "segments": SEGMENTS}
        person |= {"consents": defaultdict(list)} | dict.fromkeys(SCORES)
        person |= {"own_kinds": {f"attribute:{i}": kind for i, kind in OWN_KINDS.items()}}
    for row in tables[CustomerScore]:
        of[row["customer_id"]] |= {name: row[column] for name, column in SCORES.items()}
    for row in tables[CustomerTag]:
        of[row["customer_id"]]["tags"].append(TAGS[row["tag_id"] - 1])
    for row in tables[AttributeValue]:
        own, kind = of[row["customer_id"]]["own"], OWN_KINDS[row["attribute_id"]]
        name = f"attribute:{row['attribute_id']}"
        if kind == "list":
            own.setdefault(name, []).append(row["text"])
        else:
            own[name] = row[{"number": "number", "yes_no": "flag", "date": "day", "text": "text"}[kind]]
    for row in tables[SegmentMember]:
        of[row["customer_id"]]["lists"][row["segment_id"]] = row["entered_at"]
    _add_events(tables, of)
    for row in tables[Outcome]:
        outcome = row | {"channel": CHANNELS[row["campaign_id"] - 1]}
        of[row["customer_id"]]["outcomes"].append(outcome)
    for row in tables[ConsentChange]:
        of[row["customer_id"]]["consents"][row["channel"]].append(row)
    return people


def _add_events(tables: dict, of: dict[int, dict]) -> None:
    lines = defaultdict(list)
    for row in tables[PurchaseLine]:
        category = row["category_id"] and CATEGORIES[row["category_id"] - 1]
        lines[row["purchase_id"]].append(row | {"category": category, "amount": row["amount_minor"]})
    for row in tables[Purchase]:
        if row["customer_id"] is not None:
            event = {"event": "purchase" if row["kind"] == "sale" else "refund", "at": row["at"]}
            event |= {"order_amount": row["amount_minor"], "lines": lines[row["id"]]}
            of[row["customer_id"]]["events"].append(event)
    for row in tables[BehaviourEvent]:
        event = {"event": row["kind"], "at": row["at"], "page": row["page"], "device": row["device"]}
        of[row["customer_id"]]["events"].append(event)
    for row in tables[CustomerFact]:
        event = {"event": row["kind"], "at": row["at"], "reason": row["detail"], "channel": row["channel"]}
        if row["amount_minor"] is not None:
            event |= {"order_amount": row["amount_minor"], "lines": []}
        of[row["customer_id"]]["events"].append(event)
