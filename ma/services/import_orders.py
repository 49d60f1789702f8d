"""Orders of a file against those in the database: what is new, what differs, and writing it."""

import json
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import and_, delete, exists, func, select, update
from sqlalchemy.orm import Session

from ma import money
from ma.db import sequences, staging
from ma.errors import Conflict
from ma.models import BehaviourEvent, Category, Customer, ImportChange, ImportRun, Purchase, PurchaseLine
from ma.services import import_writing as writing
from ma.services.facts import category_ids
from ma.services.import_plans import DRY_RUN_AGAIN, TEXT, Rows, no_changes
from ma.services.profiles import rebuild_profiles

PURCHASE, LINE = Purchase.__table__, PurchaseLine.__table__
CHANGE, RUN = ImportChange.__table__, ImportRun.__table__
EVENT, CUSTOMER = BehaviourEvent.__table__, Customer.__table__
NOUN = "purchase"
_HEADER = ("customer_id", "kind", "at", "amount_minor")
_CHANGED_SINCE = f"Orders of this file were added or changed since the dry run. {DRY_RUN_AGAIN}"


@dataclass
class Orders:
    """What is to be written.

    new and changed: one row per order (changed ones with `id` and `before`), indexed by `order`; lines: those
    of both. `seen` and `absent` must still be true when it is written.
    """

    new: pd.DataFrame
    changed: pd.DataFrame
    lines: pd.DataFrame
    seen: pd.DataFrame
    absent: pd.Series
    history: tuple[int, int]
    status_of_lines: np.ndarray
    changes: pd.DataFrame
    unchanged: int
    unknown_buyers: int


def compare(session: Session, rows: Rows, lines: pd.DataFrame, keys: pd.Series, currency: str) -> Orders:
    """The lines of a file (by position in it; see import_purchases) as orders, new, changed or unchanged.

    `keys` are the order numbers by `order`. What a file leaves empty stays as it is.
    """
    lines = lines.copy()
    lines["line"] = lines.groupby("order").cumcount() + 1
    orders = _orders(lines, keys)
    # A refund's amount is negative, also where the file writes what was given back.
    back = (orders["kind"] == "refund") & (orders["amount_minor"] > 0)
    orders.loc[back, "amount_minor"] *= -1
    turned = lines["order"].isin(orders.index[back])
    lines["amount_minor"] = lines["amount_minor"].where(~turned, -lines["amount_minor"])
    found = staging.rows_with(
        session,
        select(PURCHASE.c.id, PURCHASE.c.external_key, *(PURCHASE.c[name] for name in _HEADER)),
        PURCHASE.c.external_key,
        orders["external_key"],
    )
    old = found.set_index("external_key").reindex(orders["external_key"]).set_axis(orders.index)
    known = old["id"].notna()
    orders["customer_id"] = orders["customer_id"].where(
        orders["customer_id"].notna() | orders["place"].notna(), old["customer_id"]
    )
    lines["purchase_id"] = old["id"].reindex(lines["order"]).to_numpy()
    lines, old_lines = _with_old_lines(session, lines)
    differs = known & _differ(orders, old, lines, old_lines)
    new, changed = orders[~known], orders[differs].assign(id=old.loc[differs, "id"].astype("int64"))
    changed["before"] = _before(old[differs], old_lines)
    status = np.select(
        [differs.reindex(lines["order"]), ~known.reindex(lines["order"])], ["changed", "new"], "unchanged"
    )
    written = lines["order"].isin(new.index) | lines["order"].isin(changed.index)
    return Orders(
        new=new,
        changed=changed,
        lines=lines.loc[
            written, ["order", "line", "category", "category_id", "product", "quantity", "amount_minor"]
        ],
        seen=found.drop(columns="external_key"),
        absent=new["external_key"],
        history=_history(session),
        status_of_lines=status,
        changes=_changes(rows, orders[differs], old[differs], lines, old_lines, currency),
        unchanged=int((known & ~differs).sum()),
        unknown_buyers=int((orders["customer_id"].isna() & orders["place"].isna()).sum()),
    )


def notes(orders: Orders, in_file: int) -> list[str]:
    """What the plan says about orders, as its counts are of lines."""
    parts = [("new", len(orders.new)), ("changed", len(orders.changed)), ("unchanged", orders.unchanged)]
    refused = in_file - sum(count for _, count in parts)
    said = ", ".join(f"{count:,} {word}" for word, count in [*parts, ("rejected", refused)] if count)
    words = [f"The lines make {in_file:,} {'order' if in_file == 1 else 'orders'}: {said}."]
    if orders.unknown_buyers:
        count = orders.unknown_buyers
        who = "order names no customer: its buyer" if count == 1 else "orders name no customer: their buyer"
        words.append(f"{count:,} {who} stays unknown.")
    return words


def check(session: Session, orders: Orders) -> None:
    """Raises Conflict unless the orders in the database are as they were seen."""
    if not staging.rows_with(
        session, select(PURCHASE.c.external_key), PURCHASE.c.external_key, orders.absent
    ).empty:
        raise Conflict(_CHANGED_SINCE)
    if orders.seen.empty:
        return
    like = {name: PURCHASE.c[name] for name in orders.seen}
    with staging.staged(session, orders.seen, like) as seen:
        equal = and_(*(seen.c[name].is_not_distinct_from(PURCHASE.c[name]) for name in _HEADER))
        same = session.scalar(
            select(func.count()).select_from(seen.join(PURCHASE, PURCHASE.c.id == seen.c.id)).where(equal)
        )
        last, undone = orders.history
        touched = session.scalar(
            select(
                exists().where(
                    CHANGE.c.noun == NOUN, CHANGE.c.import_id > last, CHANGE.c.object_id == seen.c.id
                )
            )
        )
    if same != len(orders.seen) or touched or _history(session)[1] != undone:
        raise Conflict(_CHANGED_SINCE)


def write(session: Session, orders: Orders, added: np.ndarray, *, run_id: int, at: datetime, step) -> None:
    """Write new and changed orders; `added` are the ids of new customers. Rebuilds the buyers' profiles."""
    new = writing.with_ids(orders.new, added, missing=True)
    ids = sequences.reserve(session, PURCHASE, len(new))
    step(0.1, "Adding orders")
    new = new.assign(id=ids, import_id=run_id)
    with writing.filled(session, PURCHASE, len(new)):
        writing.insert(session, PURCHASE, new)
    changed = writing.with_ids(orders.changed, added, missing=True)
    _replace(session, changed, run_id)
    number = pd.concat([pd.Series(ids, index=new.index), changed["id"]])
    _insert_lines(session, orders.lines, number, step)
    step(0.8, "Working out the buyers' figures")
    before = [json.loads(text)["customer_id"] for text in changed["before"]]
    touched = [new["customer_id"], changed["customer_id"], pd.Series(before, dtype="Int64")]
    rebuild(session, pd.concat(touched, ignore_index=True).dropna(), at)


def replace_lines(session: Session, ids: pd.Series) -> None:
    """Delete the lines of these orders."""
    with staging.staged(session, pd.DataFrame({"id": np.sort(ids)}), {"id": PURCHASE.c.id}) as gone:
        session.execute(delete(LINE).where(LINE.c.purchase_id.in_(select(gone.c.id))))


def change_headers(session: Session, frame: pd.DataFrame) -> None:
    """Give orders (id and the columns of an order) their new values."""
    columns = ["id", *_HEADER]
    with staging.staged(session, frame[columns], {name: PURCHASE.c[name] for name in columns}) as new:
        session.execute(
            update(PURCHASE).where(PURCHASE.c.id == new.c.id).values({name: new.c[name] for name in _HEADER})
        )


def rebuild(session: Session, customer_ids: pd.Series, at: datetime) -> None:
    """Rebuild the profiles of these customers; where they lie close together, of all between them."""
    ids = np.unique(customer_ids.to_numpy(dtype="int64"))
    if not len(ids):
        return
    staging.analyze(session, PURCHASE, LINE, EVENT, Category.__table__, CUSTOMER)
    span = range(int(ids[0]), int(ids[-1]) + 1)
    rebuild_profiles(session, as_of=at, customer_ids=span if len(span) < 2 * len(ids) else ids.tolist())


def _orders(lines: pd.DataFrame, keys: pd.Series) -> pd.DataFrame:
    """One row per order: the first time, the sums, and who and what as far as any line says it."""
    grouped = lines.groupby("order", sort=True)
    orders = grouped.agg(
        customer_id=("customer_id", "first"),
        place=("place", "first"),
        kind=("kind", "first"),
        at=("at", "first"),
        amount_minor=("amount_minor", "sum"),
        quantity=("quantity", "sum"),
    )
    orders["amount_minor"] = orders["amount_minor"].astype("int64")
    # What came back is a refund; at a price of nothing, by the sign of the quantities.
    back = (orders["amount_minor"] < 0) | ((orders["amount_minor"] == 0) & (orders["quantity"] < 0))
    orders["kind"] = (
        orders["kind"].astype(TEXT).fillna(pd.Series(np.where(back, "refund", "sale"), orders.index))
    )
    orders.insert(0, "external_key", keys.reindex(orders.index).astype(TEXT))
    return orders.drop(columns="quantity")


def _with_old_lines(session: Session, lines: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The lines with `old_…` of the same place in the order, completed from it; and all old lines."""
    folded = staging.rows(session, select(Category.id, Category.name_folded))
    codes, names = pd.factorize(lines["category"])
    known = folded.set_index("name_folded")["id"]
    from ma.text import fold

    ids = known.reindex([fold(name) for name in names])
    lines["category_id"] = pd.array([*ids, pd.NA], dtype="Int64")[codes]
    query = select(
        LINE.c.purchase_id,
        LINE.c.line,
        LINE.c.category_id,
        LINE.c.product,
        LINE.c.quantity,
        LINE.c.amount_minor,
    )
    old = staging.by_id(session, query, LINE.c.purchase_id, lines["purchase_id"].dropna().drop_duplicates())
    if old.empty:
        empty = {f"old_{name}": pd.NA for name in ("category_id", "product", "quantity", "amount_minor")}
        return lines.assign(**empty, line_differs=True), old
    joined = lines[["purchase_id", "line"]].merge(
        old.rename(columns=lambda name: name if name in ("purchase_id", "line") else f"old_{name}"),
        on=["purchase_id", "line"],
        how="left",
    )
    joined.index = lines.index
    lines = pd.concat([lines, joined.drop(columns=["purchase_id", "line"])], axis=1)
    lines["category_id"] = lines["category_id"].where(lines["category"].notna(), lines["old_category_id"])
    lines["product"] = lines["product"].fillna(lines["old_product"])
    strange = lines["category"].notna() & lines["category_id"].isna()
    lines["line_differs"] = (
        strange
        | unlike(lines["quantity"], lines["old_quantity"])
        | unlike(lines["amount_minor"], lines["old_amount_minor"])
        | unlike(lines["category_id"], lines["old_category_id"])
        | unlike(lines["product"], lines["old_product"])
    )
    return lines, old


def unlike(one: pd.Series, other: pd.Series) -> pd.Series:
    """Whether values differ; two missing ones do not."""
    here, there = one.notna().to_numpy(), other.notna().to_numpy()
    unequal = (one != other).fillna(False).to_numpy(dtype=bool)
    return pd.Series((here != there) | (here & there & unequal), index=one.index)


def _differ(
    orders: pd.DataFrame, old: pd.DataFrame, lines: pd.DataFrame, old_lines: pd.DataFrame
) -> pd.Series:
    header = orders["place"].notna()
    for name in _HEADER:
        header |= unlike(orders[name], old[name])
    inside = lines["line_differs"].groupby(lines["order"]).any().reindex(orders.index)
    count = lines.groupby("order").size().reindex(orders.index)
    before = old_lines.groupby("purchase_id").size().reindex(old["id"]).set_axis(orders.index).fillna(0)
    return header | inside | (count != before)


def _before(old: pd.DataFrame, old_lines: pd.DataFrame) -> pd.Series:
    """What orders held, as JSON: the columns, the time as text, and `lines` as lists."""
    if old.empty:
        return pd.Series(dtype=object, index=old.index)
    mine = old_lines[old_lines["purchase_id"].isin(old["id"])].sort_values(["purchase_id", "line"])
    columns = ["line", "category_id", "product", "quantity", "amount_minor"]
    plain = mine[columns].astype(object).where(mine[columns].notna(), None)
    listed = pd.Series(plain.to_numpy().tolist(), index=mine["purchase_id"].astype("int64"), dtype=object)
    lines = listed.groupby(level=0).agg(list) if len(listed) else listed
    frame = pd.DataFrame(
        {
            "customer_id": old["customer_id"].astype(object).where(old["customer_id"].notna(), None),
            "kind": old["kind"].astype(object),
            "at": old["at"].map(pd.Timestamp.isoformat),
            "amount_minor": old["amount_minor"].astype(object),
            "lines": [lines.get(int(i), []) for i in old["id"]],
        },
        index=old.index,
    )
    return pd.Series([json.dumps(row) for row in frame.to_dict("records")], index=old.index, dtype=object)


def _changes(rows: Rows, orders, old, lines, old_lines, currency: str) -> pd.DataFrame:
    """The diff of changed orders; `customer` holds the order's number."""
    if orders.empty:
        return no_changes()
    first = lines.drop_duplicates("order").set_index("order").index
    first_row = pd.Series(rows.numbers(lines.drop_duplicates("order").index.to_numpy()), index=first)
    parts = []
    labels = {"customer_id": "Customer", "kind": "Kind", "at": "Time", "amount_minor": "Amount"}
    for name, label in labels.items():
        before, after = _shown(old[name], name, currency), _shown(orders[name], name, currency)
        after = after.mask(orders["place"].notna(), "new customer") if name == "customer_id" else after
        parts.append(pd.DataFrame({"field": label, "before": before, "after": after})[unlike(before, after)])
    frame = pd.concat(parts)
    frame["order"] = frame.index
    mine = lines[lines["order"].isin(orders.index) & lines["line_differs"]]
    order_of = pd.Series(orders.index, index=old["id"].astype("int64"))
    dropped = old_lines[old_lines["purchase_id"].isin(order_of.index)].copy()
    dropped["order"] = dropped["purchase_id"].astype("int64").map(order_of)
    dropped = dropped[dropped["line"] > lines.groupby("order").size().reindex(dropped["order"]).to_numpy()]
    old_names = {f"old_{name}": name for name in ("quantity", "product", "amount_minor")}
    was = mine[list(old_names)].rename(columns=old_names)
    by_line = pd.concat(
        [
            pd.DataFrame(
                {
                    "order": mine["order"],
                    "line": mine["line"],
                    "before": _line(was, currency),
                    "after": _line(mine, currency),
                }
            ),
            pd.DataFrame(
                {
                    "order": dropped["order"],
                    "line": dropped["line"],
                    "before": _line(dropped, currency),
                    "after": None,
                }
            ),
        ]
    )
    by_line["field"] = "Line " + by_line["line"].astype(str)
    whole = pd.concat([frame, by_line], ignore_index=True)
    return pd.DataFrame(
        {
            "row": first_row.reindex(whole["order"]).to_numpy(),
            "customer": orders["external_key"].reindex(whole["order"]).to_numpy(),
            "field": whole["field"],
            "before": whole["before"].astype(TEXT),
            "after": whole["after"].astype(TEXT),
        }
    ).sort_values("row", kind="stable", ignore_index=True)


def _shown(values: pd.Series, name: str, currency: str) -> pd.Series:
    if name == "amount_minor":
        return values.map(lambda minor: money.amount(minor, currency), na_action="ignore").astype(TEXT)
    return writing.as_text(values.astype(TEXT) if name == "customer_id" else values)


def _line(lines: pd.DataFrame, currency: str) -> pd.Series:
    """ "6 × White hanging heart, £15.30"; missing where there is no such line."""
    what = (" × " + lines["product"].astype(TEXT)).fillna("")
    amount = _shown(lines["amount_minor"], "amount_minor", currency)
    return lines["quantity"].astype("Int64").astype(TEXT) + what + ", " + amount


def _replace(session: Session, changed: pd.DataFrame, run_id: int) -> None:
    if changed.empty:
        return
    writing.keep_before(session, NOUN, changed["id"], changed["before"], None, run_id)
    replace_lines(session, changed["id"])
    change_headers(session, changed)


def _insert_lines(session: Session, lines: pd.DataFrame, number: pd.Series, step) -> None:
    given = category_ids(session, lines["category"])
    frame = pd.DataFrame(
        {
            "purchase_id": number.reindex(lines["order"]).to_numpy(dtype="int64"),
            "line": lines["line"].to_numpy(),
            "category_id": pd.Series(given).fillna(lines["category_id"].reset_index(drop=True)).to_numpy(),
            "product": lines["product"].array,
            "quantity": lines["quantity"].to_numpy(dtype="int64"),
            "amount_minor": lines["amount_minor"].to_numpy(dtype="int64"),
        }
    )
    frame["category_id"] = frame["category_id"].astype("Int64")
    # In the order of the primary key: a B-tree filled from left to right is twice as fast.
    frame = frame.sort_values(["purchase_id", "line"], ignore_index=True)
    with writing.filled(session, LINE, len(frame)):
        for start in range(0, len(frame), writing.CHUNK):
            step(0.1 + 0.7 * start / len(frame), f"Adding lines: {start:,} of {len(frame):,}")
            writing.insert(session, LINE, frame.iloc[start : start + writing.CHUNK])


def _history(session: Session) -> tuple[int, int]:
    """(the last import, how many were undone): between two equal ones no import touched an order."""
    query = select(func.coalesce(func.max(RUN.c.id), 0), func.count(RUN.c.undone_at))
    [(last, undone)] = session.execute(query).all()
    return last, undone
