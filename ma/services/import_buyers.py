"""The people whom a file of purchases, events or consents names: found, or to be added as customers."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from ma.files.columns import Target
from ma.services import import_people as people
from ma.services import import_values as values
from ma.services import import_writing as writing
from ma.services.import_customers import consent_free
from ma.services.import_plans import TEXT, Rows

TARGETS = (
    Target(
        "external_id",
        "Customer id",
        (
            "customer number",
            "customer no",
            "household id",
            "user id",
            "client id",
            "kundennummer",
            "external id",
        ),
    ),
    Target("email", "Customer's e-mail address", ("email", "e-mail", "mail", "customer email")),
    Target("phone", "Customer's phone number", ("phone", "telephone", "mobile")),
    Target("country", "Customer's country", ("country", "country code", "land"), kind="country"),
)


@dataclass
class Buyers:
    """By row: `identity` (missing: nobody is named), `customer_id`, and `place` among the `added`."""

    identity: pd.Series
    customer_id: pd.Series
    place: pd.Series
    added: pd.DataFrame
    absent: dict[str, pd.Series]
    unknown_countries: list[str]

    def customers(self) -> np.ndarray:
        """The known ones, each once."""
        return np.unique(self.customer_id.dropna().to_numpy(dtype="int64"))


def find(session: Session, rows: Rows, *, create: bool, only: str | None = None) -> Buyers:
    """Who is meant by each row: by external id where there is one, else by address, else by phone.

    `only`: the one key to go by. Refuses the unknown ones unless they may be created, several customers with
    one key, and the erased.
    """
    given = {key: values.customer_text(rows, key) for key in people.KEYS if key in rows}
    people.reject_erased(session, rows, given)
    identity = pd.Series(np.nan, index=range(len(rows)), dtype=TEXT)
    customer_id = pd.Series(pd.NA, index=range(len(rows)), dtype="Int64")
    unknown = np.zeros(len(rows), dtype=bool)
    for key in [only] if only else given:
        wanted = people.comparable(key, given[key]).mask(identity.notna())
        wanted = wanted.mask(wanted == "")
        codes, distinct = pd.factorize(wanted)
        found = people.find(session, key, pd.Series(distinct, dtype=TEXT))
        many = np.append(found.many.to_numpy(), False)[codes]
        rows.reject(many, key, f"Several customers have this {people.NAMES[key]}. Use another key.")
        mine = wanted.notna().to_numpy()
        ids = pd.array([*found.customer_id, pd.NA], dtype="Int64")[codes]
        customer_id = customer_id.mask(mine, pd.Series(ids))
        identity = identity.mask(mine, key + ":" + wanted)
        missing = mine & pd.isna(ids)
        unknown |= missing
        if not create:
            rows.reject(
                missing, key, "No customer has this. Import the customers first, or let them be added."
            )
    if create and only == "phone":
        rows.reject(unknown, "phone", _ONLY_PHONE)
    elif create:
        rows.reject(
            unknown & identity.str.startswith("phone:").fillna(False).to_numpy(), "phone", _ONLY_PHONE
        )
    country, odd = _countries(rows)
    # Only now is it known which rows come in: the caller may refuse more, and calls `settle` then.
    buyers = Buyers(
        identity, customer_id, pd.Series(pd.NA, index=range(len(rows)), dtype="Int64"), None, {}, odd
    )
    buyers.added = pd.DataFrame(given | {"country": country})[unknown & ~rows.wrong]
    return buyers


def settle(session: Session, rows: Rows, buyers: Buyers) -> None:
    """Once no more rows are refused: the customers to be added, one for each identity."""
    waiting = buyers.added[~rows.wrong[buyers.added.index]]
    who = buyers.identity[waiting.index]
    people_new = waiting.groupby(who, sort=False).first() if len(waiting) else waiting[:0]
    people_new = people_new.reset_index(drop=True)
    places = pd.Series(np.arange(len(people_new)), index=who.drop_duplicates())
    buyers.place = buyers.place.copy()
    buyers.place[waiting.index] = pd.array(who.map(places), dtype="Int64")
    for key in ("external_id", "email"):
        if key in people_new:
            wanted = people.comparable(key, people_new[key])
            nobody = pd.Series(pd.NA, index=wanted.index, dtype="Int64")
            held = people.taken(session, key, wanted, nobody) | wanted.duplicated()
            # Two people cannot share it; the one they were told apart by is nobody else's.
            people_new[key] = people_new[key].mask(held)
    buyers.absent = {
        key: people.comparable(key, people_new[key]) for key in ("external_id", "email") if key in people_new
    }
    buyers.added = consent_free(writing.with_derived(people_new))


def add(session: Session, buyers: Buyers, *, run_id: int, at: datetime, step) -> np.ndarray:
    """Check that people are still who they were, and add the new ones; the ids of these."""
    people.check_present(session, buyers.customers())
    people.check_absent(session, buyers.absent)
    return writing.add_customers(session, buyers.added, run_id=run_id, at=at, step=step)


def people_note(who: Buyers) -> list[str]:
    """What is said about new customers."""
    count = len(who.added)
    return (
        [f"{count:,} {'customer is' if count == 1 else 'customers are'} added, allowing nothing."]
        if count
        else []
    )


def country_note(odd: list[str]) -> list[str]:
    """What is said about countries that are none."""
    if not odd:
        return []
    shown = ", ".join(odd[:5]) + (", …" if len(odd) > 5 else "")
    return [f"Unknown countries are left empty: {shown}."]


def _countries(rows: Rows) -> tuple[pd.Series, list[str]]:
    if "country" not in rows:
        return pd.Series(np.nan, index=range(len(rows)), dtype=TEXT), []
    found, bad = values.countries(rows)
    return found, sorted(rows.texts("country")[bad].unique())


_ONLY_PHONE = (
    "No customer has this phone number, and a new one needs an e-mail address or external id too. "
    "Import the customers first."
)
