"""A big shop for measuring: customers whose names, addresses and numbers are as uneven as real ones."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
from faker.providers.address.de_DE import Provider as Places
from faker.providers.person.de_DE import Provider as German
from faker.providers.person.en_US import Provider as American
from sqlalchemy import text

from ma.db import bulk, migrate
from ma.db.engine import Database
from ma.models import Category, Customer, Purchase, PurchaseLine
from ma.services.customer_fields import derived_frame
from ma.services.customers import split_bucket
from ma.services.workspace import create_workspace
from ma.types import SYSTEM, Channel

NOW = datetime(2026, 3, 2, 15, tzinfo=UTC)
_DOMAINS = (
    "gmail.com",
    "gmx.de",
    "web.de",
    "t-online.de",
    "yahoo.com",
    "outlook.com",
    "icloud.com",
    "example.org",
)
_CATEGORIES = ("Wine", "Bread", "Tea", "Cheese", "Fruit", "Books", "Toys", "Shoes")
_PART = 200_000


def load(database: Database, customers: int) -> None:
    """An empty database filled with so many customers and five times as many orders."""
    rng = np.random.default_rng(1)
    migrate.upgrade(database)
    with database.writing() as session:
        create_workspace(session, SYSTEM, name="Bench", timezone="Europe/Berlin", currency="EUR", at=NOW)
        rows = [{"id": i, "name": n, "name_folded": n.lower()} for i, n in enumerate(_CATEGORIES, 1)]
        session.execute(Category.__table__.insert(), rows)
    orders = _orders(rng, customers)
    figures = _figures(rng, orders, customers)
    for first in range(0, customers, _PART):
        people = _people(rng, np.arange(first + 1, min(first + _PART, customers) + 1))
        people = people.assign(**figures.iloc[first : first + len(people)].reset_index(drop=True))
        with database.writing() as session:
            bulk.insert(session, Customer.__table__, people)
    for first in range(0, len(orders), 5 * _PART):
        part = orders.iloc[first : first + 5 * _PART]
        with database.writing() as session:
            bulk.insert(session, Purchase.__table__, part)
            bulk.insert(session, PurchaseLine.__table__, _lines(part))
    vacuumed(database)


def vacuumed(database: Database) -> None:
    """What autovacuum does in the minutes after a big import. SQLite has nobody to do it."""
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM (ANALYZE)"))


def _orders(rng: np.random.Generator, customers: int) -> pd.DataFrame:
    """Orders of the last four years: some customers have many, three in ten none."""
    total = 5 * customers
    weight = rng.pareto(1.5, customers) * (rng.random(customers) < 0.7)
    owners = np.sort(rng.choice(customers, total, p=weight / weight.sum())) + 1
    at = pd.Series(NOW - pd.to_timedelta(rng.integers(1, 4 * 365 * 86_400, total), unit="s"))
    ids = np.arange(1, total + 1)
    return pd.DataFrame(
        {
            "id": ids,
            "customer_id": owners,
            "external_key": "O" + pd.Series(ids).astype(str),
            "kind": "sale",
            "at": at.dt.as_unit("us"),
            "amount_minor": rng.integers(300, 30_000, total),
        }
    )


def _lines(orders: pd.DataFrame) -> pd.DataFrame:
    ids = orders["id"].to_numpy()
    return pd.DataFrame(
        {
            "purchase_id": ids,
            "line": 1,
            "category_id": ids % len(_CATEGORIES) + 1,
            "quantity": 1,
            "amount_minor": orders["amount_minor"].to_numpy(),
        }
    )


def _figures(rng: np.random.Generator, orders: pd.DataFrame, customers: int) -> pd.DataFrame:
    """The profile figures, as `rebuild_profiles` derives them (engagement apart)."""
    grouped = orders.groupby("customer_id")
    known = pd.DataFrame(
        {
            "orders": grouped.size(),
            "spend_minor": grouped["amount_minor"].sum(),
            "first_order_at": grouped["at"].min(),
            "last_order_at": grouped["at"].max(),
        }
    ).reindex(np.arange(1, customers + 1))
    known[["orders", "spend_minor"]] = known[["orders", "spend_minor"]].fillna(0).astype("int64")
    average = (known["spend_minor"] / known["orders"]).round()
    return known.assign(
        average_order_minor=average.astype("Int64").astype(object).where(average.notna(), None),
        engagement=rng.beta(1, 5, customers).round(3) * 100,
        visits=rng.poisson(3, customers),
        favourite_category=rng.choice(_CATEGORIES, customers),
    ).reset_index(drop=True)


def _people(rng: np.random.Generator, ids: np.ndarray) -> pd.DataFrame:
    people = len(ids)

    def some(values, share: float) -> pd.Series:
        return pd.Series(values).astype(object).where(rng.random(people) < share, None)

    first = _zipf(rng, [*German.first_names, *American.first_names], people, seed=1)
    last = _zipf(rng, [*German.last_names, *American.last_names], people, seed=2)
    # One in twelve has a double name: many names that only few have.
    double = rng.random(people) < 0.08
    second = _zipf(rng, [*German.last_names, *American.last_names], people, seed=3)
    last = np.where(double, last + "-" + second, last)
    plain = pd.Series(first + "." + last).str.lower().str.replace(r"[^a-z.-]", "", regex=True)
    email = plain + pd.Series(ids).astype(str) + "@" + _zipf(rng, _DOMAINS, people, seed=4)
    born = pd.Timestamp("1940-01-01") + pd.to_timedelta(rng.integers(0, 25_000, people), "D")
    given = pd.DataFrame(
        {
            "external_id": "C" + pd.Series(ids).astype(str).str.zfill(7),
            "first_name": some(first, 0.97),
            "last_name": some(last, 0.95),
            "email": some(email, 0.9),
            "phone": some(_phones(rng, people), 0.7),
            "city": some(_zipf(rng, Places.cities, people, seed=5), 0.9),
            "postal_code": some(pd.Series(rng.integers(1000, 99_999, people)).astype(str).str.zfill(5), 0.9),
            "country": some(_zipf(rng, ("DE", "US", "AT", "FR", "GB"), people, seed=6), 0.95),
            "gender": some(rng.choice(["female", "male"], people), 0.8),
        }
    )
    when = pd.Timestamp(NOW) - pd.to_timedelta((ids[-1] + 1 - ids) // 50, unit="s")
    rest = {
        "id": ids,
        "birth_date": pd.to_datetime(some(born, 0.8)),
        "split_bucket": split_bucket(ids),
        "created_at": when,
        "updated_at": when,
        "version": 1,
    } | {f"consent_{channel}": rng.random(people) < 0.6 for channel in Channel}
    return given.assign(**derived_frame(given), **rest)


def _zipf(rng: np.random.Generator, names, size: int, *, seed: int) -> np.ndarray:
    """Names of which the most common one is twice as common as the next, three times as the third, …"""
    shuffled = np.random.default_rng(seed).permutation(np.array(list(dict.fromkeys(names)), dtype=object))
    weight = 1 / (np.arange(len(shuffled)) + 3)
    return rng.choice(shuffled, size, p=weight / weight.sum())


def _phones(rng: np.random.Generator, size: int) -> np.ndarray:
    numbers = pd.Series(rng.integers(10**9, 10**10, size)).astype(str)
    ways = [
        "+49 17" + numbers.str[0] + " " + numbers.str[1:8],
        "017" + numbers.str[0] + numbers.str[1:8],
        "(" + numbers.str[:3] + ") " + numbers.str[3:6] + "-" + numbers.str[6:10],
        "+49 30 " + numbers.str[1:8],
    ]
    return np.choose(rng.integers(0, len(ways), size), [way.to_numpy(dtype=object) for way in ways])
