"""Putting the people of a file on a static list: who they are is found first, and nothing is guessed."""

import re
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.db import staging
from ma.errors import InvalidInput
from ma.files.reading import Sheet
from ma.models import Customer, SegmentMember
from ma.services import import_people
from ma.services.permissions import require
from ma.services.segment_lists import add_members
from ma.types import Actor, Permission

# What a column can hold, and its name in a sentence.
KEYS = {
    "email": "e-mail address",
    "external_id": "external id",
    "phone": "phone number",
    "customer_id": "customer id",
}
# Headers that say so themselves, folded.
_HEADERS = {
    "email": ("email", "e-mail", "mail", "e-mail address", "email address"),
    "external_id": ("external_id", "external id", "customer number", "crm id"),
    "phone": ("phone", "phone number", "mobile", "telephone"),
    "customer_id": ("customer_id", "customer id", "id"),
}
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# At least seven digits, with what people write between them.
_NUMBER = re.compile(r"\+?[\s()./-]*([0-9][\s()./-]*){7,15}")


@dataclass(frozen=True)
class Upload:
    """What a file would put on a list, seen at one instant; nothing has been written.

    rows = found + unknown + ambiguous + empty, in rows of the file; `people` are the distinct customers who
    were found, `already` of them are on the list. `refused` has the rows that are not found: `row` (its
    number in the file), what stood there, and `problem`.
    """

    key: str
    column: str
    rows: int
    found: int
    unknown: int
    ambiguous: int
    empty: int
    people: int
    already: int
    refused: pd.DataFrame = field(repr=False)
    customer_ids: np.ndarray = field(repr=False)

    @property
    def new(self) -> int:
        """How many would be added."""
        return self.people - self.already

    @property
    def repeated(self) -> int:
        """How many rows found somebody whom an earlier one had found."""
        return self.found - self.people


def suggested(sheet: Sheet) -> tuple[str, str]:
    """Which column of a file says who somebody is, and what it holds: (column, key)."""
    headers = {name.strip().lower(): name for name in sheet.frame.columns}
    for key, names in _HEADERS.items():
        for name in names:
            if name in headers:
                return headers[name], key
    for name in sheet.frame.columns:
        if sheet.frame[name].str.contains("@", regex=False).mean() > 0.5:
            return name, "email"
    return sheet.frame.columns[0], "external_id"


def header_person(session: Session, sheet: Sheet) -> tuple[str, str] | None:
    """The person whom the header of a file is, where the file has none: (the text that says who, its key).

    An e-mail address, a phone number above more of them, or in the first column an id that is known here.
    """
    header = [cell.strip() for cell in sheet.header]
    if any(cell.lower() in names for cell in header for names in _HEADERS.values()):
        return None
    for cell in header:
        if _ADDRESS.fullmatch(cell):
            return cell, "email"
    for place, cell in enumerate(header):
        below = sheet.frame.iloc[:, place].dropna()
        if _NUMBER.fullmatch(cell) and (below.empty or below.str.fullmatch(_NUMBER).mean() > 0.5):
            return cell, "phone"
    for key in ("external_id", "customer_id"):
        first = pd.Series(header[:1], dtype="str")
        if _found(session, key, first.replace("", np.nan))[0].notna().any():
            return header[0], key
    return None


def look_up(
    session: Session, actor: Actor, segment_id: int, sheet: Sheet, *, column: str, key: str
) -> Upload:
    """Who the people of a file are; a dry run. Raises InvalidInput for a column that is not there."""
    require(actor, Permission.EDIT_SEGMENTS)
    if key not in KEYS:
        raise InvalidInput({"key": f"There is no key '{key}'. Use one of {', '.join(KEYS)}."})
    if column not in sheet.frame:
        raise InvalidInput({"column": f"The file has no column “{column}”. Choose another one."})
    frame = sheet.frame.reset_index(drop=True)
    given = frame[column].str.strip().replace("", np.nan)
    empty = given.isna()
    customer_id, many = _found(session, key, given)
    found = customer_id.notna() & ~many
    ids = np.unique(customer_id[found].to_numpy(dtype="int64"))
    on_list = select(SegmentMember.customer_id).where(SegmentMember.segment_id == segment_id)
    already = staging.by_id(session, on_list, SegmentMember.customer_id, pd.Series(ids, dtype="int64"))
    unknown = ~found & ~many & ~empty
    return Upload(
        key=key,
        column=column,
        rows=len(frame),
        found=int(found.sum()),
        unknown=int(unknown.sum()),
        ambiguous=int(many.sum()),
        empty=int(empty.sum()),
        people=len(ids),
        already=len(already),
        refused=_refused(sheet, key, many=many, unknown=unknown, empty=empty),
        customer_ids=ids,
    )


def add_uploaded(session: Session, actor: Actor, segment_id: int, upload: Upload, *, at: datetime) -> int:
    """Put those who were found on the list; how many were not on it. Who was deleted since is left out.

    Raises NotFound, and Conflict for a segment with a rule.
    """
    require(actor, Permission.EDIT_SEGMENTS)
    frame = pd.DataFrame({"id": upload.customer_ids})
    with staging.staged(session, frame, {"id": Customer.id}) as wanted:
        return add_members(session, actor, segment_id, select(wanted.c.id), at=at)


def _refused(
    sheet: Sheet, key: str, *, many: pd.Series, unknown: pd.Series, empty: pd.Series
) -> pd.DataFrame:
    frame = sheet.frame.reset_index(drop=True)
    row, problem = (name if name not in frame else f"{name} of the upload" for name in ("row", "problem"))
    words = np.select(
        [many, unknown],
        [f"Several customers have this {KEYS[key]}.", f"No customer has this {KEYS[key]}."],
        f"The row has no {KEYS[key]}.",
    )
    frame.insert(0, row, frame.index + sheet.first_row)
    return frame.assign(**{problem: words})[many | unknown | empty].reset_index(drop=True)


def _found(session: Session, key: str, given: pd.Series) -> tuple[pd.Series, pd.Series]:
    """By row: the customer (Int64), and whether several answer."""
    if key != "customer_id":
        people = import_people.find(session, key, import_people.comparable(key, given))
        return people.customer_id, people.many
    numbers = pd.to_numeric(given.where(given.str.fullmatch("[0-9]{1,18}")), errors="coerce")
    people = import_people.find_ids(session, numbers.astype("Int64"))
    return people, pd.Series(False, index=given.index)
