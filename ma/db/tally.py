"""Counting rows by groups of the people they belong to."""

import numpy as np
import pandas as pd
from sqlalchemy import BigInteger, ColumnElement, Select, case, cast, func, literal
from sqlalchemy.orm import Session

from ma.db.counting import in_columns

PERSON, KEY = "person", "key"


class Tally:
    """Counts rows by the group of the person that each belongs to.

    `people` selects person (an id) and key (text, never NULL), a row for each; rows of others are left out.
    PostgreSQL joins them and groups in a hash table. SQLite would look up each row's person and then sort:
    there the people are read once, the rows come back as one long text per column, and numpy counts them,
    which takes a third of the time for ten outcomes each of a million people.
    """

    def __init__(self, session: Session, people: Select) -> None:
        self._session, self._people = session, people
        self._read = None
        if session.connection().dialect.name == "sqlite":
            self._read = _People(in_columns(session, people))

    def count(
        self, rows: Select, flags: dict[str, ColumnElement], amounts: dict[str, ColumnElement]
    ) -> pd.DataFrame:
        """How many rows there are for which each flag is true, and the sum of each amount, as floats.

        `rows` selects person and what else to count by: whole numbers or text, never NULL, as no amount is.
        One row for each combination that occurs: these columns, key, flags, amounts. Sums are exact below
        2^53.
        """
        frame = self._in_numpy(rows, flags, amounts) if self._read else self._grouped(rows, flags, amounts)
        return frame.astype(dict.fromkeys([*flags, *amounts], float))

    def _grouped(self, rows: Select, flags: dict, amounts: dict) -> pd.DataFrame:
        people = self._people.subquery()
        by = [*(c for c in rows.selected_columns if c.key != PERSON), people.c.key]
        counts = [func.count().filter(flag).label(name) for name, flag in flags.items()]
        sums = [cast(func.sum(amount), BigInteger).label(name) for name, amount in amounts.items()]
        joined = rows.join(people, people.c.person == rows.selected_columns.person)
        found = self._session.execute(joined.with_only_columns(*by, *counts, *sums).group_by(*by))
        return pd.DataFrame(found.all(), columns=list(found.keys()))

    def _in_numpy(self, rows: Select, flags: dict, amounts: dict) -> pd.DataFrame:
        told = sum((case((flag, 1 << i), else_=0) for i, flag in enumerate(flags.values())), literal(0))
        amounts = {name: amount.label(name) for name, amount in amounts.items()}
        columns = in_columns(self._session, rows.add_columns(told.label("flags"), *amounts.values()))
        known, columns[KEY] = self._read.key_of(columns.pop(PERSON))
        columns = {name: values[known] for name, values in columns.items()}
        told, sums = columns.pop("flags"), {name: columns.pop(name) for name in amounts}
        place, frame = _combinations(columns)
        for i, name in enumerate(flags):
            frame[name] = np.bincount(place, weights=told >> i & 1, minlength=len(frame))
        for name, values in sums.items():
            frame[name] = np.bincount(place, weights=values, minlength=len(frame))
        return frame


class _People:
    """The key of each person, found by id."""

    def __init__(self, columns: dict) -> None:
        order = np.argsort(columns[PERSON], kind="stable")
        self._ids, self._keys = columns[PERSON][order], columns[KEY][order]

    def key_of(self, persons: np.ndarray) -> tuple[np.ndarray, pd.Categorical]:
        """Which of these are known, and the key of each (of an unknown one: any)."""
        if not len(self._ids):
            nobody = np.zeros(len(persons), dtype=bool)
            return nobody, pd.Categorical.from_codes(np.full(len(persons), -1), [])
        place = np.minimum(np.searchsorted(self._ids, persons), len(self._ids) - 1)
        return self._ids[place] == persons, self._keys[place]


def _combinations(columns: dict) -> tuple[np.ndarray, pd.DataFrame]:
    """Each row's place among the different combinations of some columns, and these."""
    place, sizes = np.zeros(1, dtype=np.int64), []
    parts = {name: pd.factorize(values) for name, values in columns.items()}
    for codes, different in parts.values():
        place = place * len(different) + codes
        sizes.append(len(different))
    place, cells = pd.factorize(place)
    codes = np.unravel_index(cells, sizes) if len(cells) else [[]] * len(parts)
    frame = {
        name: np.asarray(different)[code]
        for (name, (_, different)), code in zip(parts.items(), codes, strict=True)
    }
    return place, pd.DataFrame(frame)
