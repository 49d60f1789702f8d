"""Somebody with a row in every table that can hold one, made by looking at the tables themselves.

A table that is added later gets a row too: a test that uses this fails until the table is thought of.
"""

from datetime import UTC, date, datetime
from itertools import count

from sqlalchemy import JSON, Boolean, Date, Float, Integer, String, insert, select

from ma.models import Attribute, Base, Customer, ImportChange, UtcTime
from ma.services.customer_fields import derived
from ma.services.workspace import create_workspace
from ma.types import SYSTEM

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 5, 9, tzinfo=UTC)
CUSTOMER = Customer.__table__
# Facts that stay, at a row without a person: nothing in them is about who it was.
KEPT = ("purchase", "outcome")
_count = count()
# Beside foreign keys: what of these tables belongs to a customer.
BY_OBJECT = {ImportChange.__table__: ("customer", "object_id")}


def tables():
    """Every table with rows of customers, and the columns that say whose they are."""
    found = {}
    for table in Base.metadata.sorted_tables:
        columns = [
            column.name
            for column in table.columns
            if any(key.column.table is CUSTOMER for key in column.foreign_keys)
            or column.name == "customer_id"
        ]
        if columns:
            found[table] = columns
    return found | {table: [column] for table, (_, column) in BY_OBJECT.items()}


def plant(session, customer_id, mark, *, partner, at=LONG_AGO):
    """Give a customer one row in every such table, each text with `mark` in it; returns all texts planted."""
    planted = []
    for table, columns in tables().items():
        row = {}
        for column in table.columns:
            if column.name in columns:
                row[column.name] = customer_id if column.name == columns[0] else partner
            elif column.foreign_keys:
                row[column.name] = _parent(session, column, mark)
            elif table in BY_OBJECT and column.name == "noun":
                row["noun"] = BY_OBJECT[table][0]
            elif not (column.primary_key and column.name == "id"):
                row[column.name] = _value(table, column, mark, planted)
        if len(columns) == 2:
            first, second = sorted(row[name] for name in columns)
            row |= dict(zip(columns, (first, second), strict=True))
        if "kind" in row and table.name == "purchase":
            row |= {"kind": "sale", "amount_minor": 1250}
        session.execute(insert(table).values(**row))
    return planted


def add_customer(session, customer_id, mark, **values):
    """A customer whose every field holds `mark`; returns the texts planted."""
    planted, row = [], {}
    for column in CUSTOMER.columns:
        if column.nullable and column.name not in ("deleted_at", "merged_into", "erased_at", "import_id"):
            row[column.name] = _value(CUSTOMER, column, mark, planted)
    row |= {"email": f"{mark}@example.com", "phone": f"+49 170 {customer_id:07d}", "country": "DE"} | values
    row |= derived(row)
    row |= {"id": customer_id, "split_bucket": customer_id, "orders": 1, "spend_minor": 1250, "visits": 1}
    row |= {f"consent_{channel}": True for channel in ("email", "sms", "push", "direct_mail")}
    row |= {"created_at": LONG_AGO, "updated_at": LONG_AGO, "version": 1}
    session.execute(insert(CUSTOMER).values(**row))
    return [*planted, row["email"], row["phone_digits"]]


def build(session):
    """A workspace without customers."""
    create_workspace(session, SYSTEM, name="Test", timezone="Europe/Berlin", currency="EUR", at=LONG_AGO)


def _parent(session, column, mark):
    """The key of a row that another one needs: one is made where there is none."""
    [key] = column.foreign_keys
    table = key.column.table
    found = session.scalar(select(key.column).order_by(key.column.desc()).limit(1))
    if found is not None:
        return found
    row = {}
    for one in table.columns:
        if one.foreign_keys:
            row[one.name] = None if one.nullable else _parent(session, one, mark)
        elif not (one.primary_key and one.name == "id"):
            row[one.name] = _value(table, one, f"shared{table.name}", [])
    if table is Attribute.__table__:
        row["kind"] = "text"
    return session.execute(insert(table).values(**row)).inserted_primary_key[0]


def _value(table, column, mark, planted):
    kind = column.type
    if isinstance(kind, UtcTime):
        return LONG_AGO
    if isinstance(kind, Date):
        return date(1980, 2, 3)
    if isinstance(kind, Boolean):
        return True
    if isinstance(kind, Float):
        return 0.5
    if isinstance(kind, JSON):
        text = f"{mark}{table.name}json"
        planted.append(text)
        return {"last_name": text}
    if isinstance(kind, String):
        if column.name == "channel":
            return "email"
        if table.name in KEPT:
            return f"kept{next(_count)}"[: kind.length]
        text = f"{mark}{table.name}{column.name}".replace("_", "")[: kind.length or 100]
        planted.append(text)
        return text
    assert isinstance(kind, Integer), f"{table.name}.{column.name}: teach the planter this type"
    return 1
