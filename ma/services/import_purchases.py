"""A file of purchases, a line of an order in each row: what it would change, and changing it."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma import money
from ma.analytics.workspace import workspace
from ma.files.columns import Target
from ma.models import Purchase, PurchaseLine
from ma.services import import_buyers as buyers
from ma.services import import_orders as orders
from ma.services import import_values as values
from ma.services.import_plans import Options, Rows
from ma.types import Actor

PURCHASE, LINE = Purchase.__table__, PurchaseLine.__table__
# A line's amount is quantity x price: prices with up to four decimals more than the currency has stay exact.
_FINE = 4
_GREATEST_MINOR, _GREATEST_QUANTITY = 10**12, 10**9
# How far apart the times of one order's lines may lie; the first is the order's.
_ONE_ORDER = pd.Timedelta(days=1)
_SALES = frozenset(["sale", "sales", "order", "purchase", "buy", "verkauf", "kauf", "bestellung", "s"])
_REFUNDS = frozenset(
    ["refund", "return", "cancellation", "cancelled", "credit", "retoure", "gutschrift", "storno", "r"]
)

TARGETS = (
    Target(
        "order_key",
        "Order number",
        ("invoice no", "invoice", "invoice number", "order", "order id", "order no", "basket id", "receipt",
         "transaction id", "bestellnummer", "rechnungsnummer", "bon"),
        required=True,
    ),
    Target(
        "at",
        "Time",
        ("invoice date", "order date", "date", "datetime", "timestamp", "purchased at", "datum", "zeit"),
        required=True,
        kind="moment",
    ),
    *buyers.TARGETS,
    Target("quantity", "Quantity", ("qty", "units", "count", "menge", "anzahl"), kind="number"),
    Target("unit_price", "Price of one", ("unit price", "price", "preis", "einzelpreis"), kind="amount"),
    Target(
        "amount",
        "Amount of the line",
        ("total", "line total", "sales value", "revenue", "betrag", "summe", "umsatz"),
        kind="amount",
    ),
    Target(
        "product",
        "Product",
        ("description", "product name", "item", "article", "sku", "stock code", "artikel", "produkt"),
    ),
    Target("category", "Category", ("department", "product category", "group", "kategorie", "warengruppe")),
    Target("kind", "Sale or refund", ("type", "transaction type", "art", "typ")),
)  # fmt: skip


@dataclass
class Work:
    """What `apply` writes."""

    orders: orders.Orders
    buyers: buyers.Buyers


def targets(session: Session) -> tuple[Target, ...]:
    """What a line of an order may hold."""
    return TARGETS


def mapping_problems(mapping: dict[str, str]) -> dict[str, str]:
    """Amounts must come from somewhere."""
    if "amount" in mapping or {"quantity", "unit_price"} <= mapping.keys():
        return {}
    if "unit_price" in mapping:
        return {"quantity": "Choose the column of quantities beside that of prices, or one of amounts."}
    return {"amount": "Choose the column of amounts, or those of quantities and prices."}


def plan(session: Session, rows: Rows, key: str, options: Options, at: datetime):
    """(status of each row, work, changes, notes)."""
    info = workspace(session)
    lines = pd.DataFrame({"key": values.short_texts(rows, "order_key", "order number", 100)})
    rows.reject(
        lines["key"].isna(), "order_key", "There is no order number. Fill it in: lines of one order share it."
    )
    lines["at"] = values.moments(rows, "at", timezone=info.timezone, latest=pd.Timestamp(at))
    rows.reject(rows.texts("at").isna(), "at", "There is no time. Fill it in.")
    lines["quantity"], lines["amount_minor"] = _amounts(rows, info.currency)
    lines["product"] = values.short_texts(rows, "product", "product", 200)
    lines["category"] = values.short_texts(rows, "category", "category", 100)
    who = buyers.find(session, rows, create=options.create_missing)
    lines["identity"], lines["customer_id"] = who.identity, who.customer_id
    lines["kind"] = values.texts(rows, "kind", _kind)
    order, keys = pd.factorize(lines["key"])
    lines["order"] = order
    _reject_orders(rows, lines)
    buyers.settle(session, rows, who)
    lines["place"] = who.place
    found = orders.compare(session, rows, lines[~rows.wrong], pd.Series(keys), info.currency)
    status = np.full(len(rows), "rejected", dtype=object)
    status[~rows.wrong] = found.status_of_lines
    notes = [
        *orders.notes(found, len(keys)),
        *buyers.people_note(who),
        *buyers.country_note(who.unknown_countries),
    ]
    return status, Work(found, who), found.changes, notes


def apply(session: Session, actor: Actor, work: Work, *, run_id: int, at: datetime, step) -> dict[str, int]:
    """Write what was planned; returns more counts. Raises Conflict when it no longer holds."""
    orders.check(session, work.orders)
    added = buyers.add(
        session, work.buyers, run_id=run_id, at=at, step=lambda *_: step(0.05, "Adding customers")
    )
    orders.write(session, work.orders, added, run_id=run_id, at=at, step=step)
    return {
        "customers": len(added),
        "orders_new": len(work.orders.new),
        "orders_changed": len(work.orders.changed),
    }


def _kind(text: str) -> tuple[str | None, str | None]:
    word = text.strip().casefold()
    if word in _SALES or word in _REFUNDS:
        return "sale" if word in _SALES else "refund", None
    return None, None if not word else "Write sale or refund."


def _amounts(rows: Rows, currency: str) -> tuple[pd.Series, pd.Series]:
    """(quantity, amount in minor units) of each line, half a unit rounded away from zero."""
    quantity = _quantity(rows)
    amount = _money(rows, "amount", currency, fine=0) if "amount" in rows else None
    if "unit_price" in rows:
        price = _money(rows, "unit_price", currency, fine=_FINE)
        large = (price.astype("Float64") * quantity.astype("Float64")).abs() > _GREATEST_MINOR * 10.0**_FINE
        rows.reject(large.fillna(False), "unit_price", "The amount is too large. Correct price or quantity.")
        exact = (price * quantity).mask(large).fillna(0).to_numpy(dtype="int64")
        product = np.sign(exact) * ((np.abs(exact) * 2 + 10**_FINE) // (2 * 10**_FINE))
        product = pd.Series(product).astype("Int64").mask(price.isna() | quantity.isna())
        amount = product if amount is None else amount.fillna(product)
    if "amount" in rows:
        rows.reject(amount.isna(), "amount", "There is no amount. Fill it in.")
        quantity = quantity.fillna(1)
    else:
        rows.reject(rows.texts("quantity").isna(), "quantity", "There is no quantity. Fill it in.")
        rows.reject(rows.texts("unit_price").isna(), "unit_price", "There is no price. Fill it in.")
    return quantity, amount


def _quantity(rows: Rows) -> pd.Series:
    if "quantity" not in rows:
        return pd.Series(1, index=range(len(rows)), dtype="Int64")
    thousandths = values.decimals(rows, "quantity", 3)
    rows.reject((thousandths % 1000 != 0).fillna(False), "quantity", "This is not a whole number. Round it.")
    quantity = thousandths // 1000
    rows.reject((quantity.abs() > _GREATEST_QUANTITY).fillna(False), "quantity", "The quantity is too large.")
    return quantity


def _money(rows: Rows, name: str, currency: str, *, fine: int) -> pd.Series:
    """An amount in minor units, times 10**fine."""
    digits = money.digits(currency)
    coarse = values.decimals(rows, name, digits)
    large = (coarse.abs() > _GREATEST_MINOR).fillna(False)
    rows.reject(large, name, "The amount is too large. Correct it.")
    return (values.decimals(rows, name, digits + fine) if fine else coarse).mask(large)


def _reject_orders(rows: Rows, lines: pd.DataFrame) -> None:
    """Refuse orders whose lines do not agree, and every line of an order of which one is refused.

    An order comes in whole or not at all: one with a line missing would be taken for the whole of it.
    """
    order = lines["order"]
    named = order >= 0
    by_order = lines[named].groupby("order")
    buyers_of = by_order["identity"].nunique().reindex(order).to_numpy() > 1
    words = "The lines of this order name several customers. Give each customer's order a number of its own."
    rows.reject(buyers_of, _first(rows, "external_id", "email", "phone"), words)
    times = by_order["at"].agg(["min", "max"])
    apart = ((times["max"] - times["min"]) > _ONE_ORDER).reindex(order).fillna(False).to_numpy(dtype=bool)
    words = "The lines of this order are more than a day apart. Give each order a number of its own."
    rows.reject(apart, "at", words)
    kinds = by_order["kind"].nunique().reindex(order).to_numpy() > 1
    rows.reject(
        kinds, "kind", "The lines of this order are sales and refunds. Give the refund its own number."
    )
    first_wrong = pd.Series(np.flatnonzero(rows.wrong)).groupby(order[rows.wrong].to_numpy()).first()
    because = first_wrong.reindex(order).to_numpy()
    others = ~np.isnan(because) & ~rows.wrong & named.to_numpy()
    problem = pd.Series("", index=range(len(rows)), dtype=object)
    problem[others] = [
        f"Row {int(row)} of the same order is refused, and an order comes in whole. Correct that row."
        for row in rows.numbers(because[others])
    ]
    rows.reject(others, "order_key", problem)


def _first(rows: Rows, *names: str) -> str:
    return next((name for name in names if name in rows), names[0])
