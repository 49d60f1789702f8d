"""What a file of customers may hold beside their columns: tags and the workspace's own fields."""

import json
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from ma.db import staging
from ma.models import Attribute, AttributeValue, CustomerTag, Tag
from ma.services import attribute_fields, attributes, tags
from ma.services import import_values as values
from ma.services.import_plans import Rows
from ma.services.import_writing import with_ids
from ma.text import fold
from ma.types import Actor

VALUE, TAG, CUSTOMER_TAG = AttributeValue.__table__, Tag.__table__, CustomerTag.__table__
TAGS = "tags"


@dataclass
class Extras:
    """Tags and own fields by row, and, once compared, what of them is to be written."""

    tags: pd.Series | None = None
    own: dict[int, pd.Series] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)
    new_tags: list[pd.DataFrame] = field(default_factory=list)
    new_values: list[pd.DataFrame] = field(default_factory=list)

    def columns(self) -> dict[str, pd.Series]:
        """By target, to see which rows are equal."""
        found = {f"attribute:{key}": column for key, column in self.own.items()}
        return found if self.tags is None else found | {TAGS: self.tags}

    def differences(self, session: Session, ids: pd.Series, rows: Rows) -> pd.DataFrame:
        """What these customers (ids by position in the file) do not have yet. Remembers it for `write`.

        position, id, name, label, before, after, and `json`, what is kept for taking it back.
        """
        parts = [self._tag_differences(session, ids)] if self.tags is not None else []
        parts += [self._value_differences(session, key, ids, rows) for key in self.own]
        parts = [part for part in parts if len(part)]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def kept(self, added: pd.Index) -> "Extras":
        """Only what is to be written, with that of the new customers at these positions."""
        place = np.arange(len(added))
        if self.tags is not None and len(added):
            mine = pd.DataFrame({"customer_id": pd.NA, "place": place, "tag": self.tags[added].to_numpy()})
            self.new_tags.append(mine.explode("tag").dropna(subset="tag"))
        for key, column in self.own.items():
            mine = pd.DataFrame({"customer_id": pd.NA, "place": place, "attribute_id": key})
            mine["value"] = column[added].to_numpy()
            self.new_values.append(mine[mine["value"].notna()])
        return Extras(kinds=self.kinds, new_tags=self.new_tags, new_values=self.new_values)

    def write(self, session: Session, actor: Actor, ids: np.ndarray, *, at: datetime) -> None:
        """Write them; `ids` are those of the new customers."""
        frames = [frame for frame in self.new_tags if len(frame)]
        if frames:
            tags.write_tags(session, actor, with_ids(pd.concat(frames, ignore_index=True), ids), at=at)
        frames = [frame for frame in self.new_values if len(frame)]
        if frames:
            attributes.write_values(session, with_ids(pd.concat(frames, ignore_index=True), ids), at=at)

    def _tag_differences(self, session: Session, ids: pd.Series) -> pd.DataFrame:
        wanted = pd.DataFrame(
            {"position": ids.index, "id": ids.to_numpy(), "tag": self.tags[ids.index].to_numpy()}
        )
        wanted = wanted.explode("tag").dropna(subset="tag")
        if wanted.empty:
            return wanted
        codes, distinct = pd.factorize(wanted["tag"])
        wanted["folded"] = np.array([fold(name) for name in distinct], dtype=object)[codes]
        query = select(CUSTOMER_TAG.c.customer_id, TAG.c.name_folded).join(
            TAG, TAG.c.id == CUSTOMER_TAG.c.tag_id
        )
        have = staging.by_id(session, query, CUSTOMER_TAG.c.customer_id, wanted["id"])
        has = pd.MultiIndex.from_arrays(
            [have["customer_id"].astype("int64"), have["name_folded"].astype(object)]
        )
        new = wanted[~pd.MultiIndex.from_arrays([wanted["id"], wanted["folded"]]).isin(has)]
        if new.empty:
            return new
        self.new_tags.append(new[["tag"]].assign(customer_id=new["id"], place=pd.NA))
        together = new.groupby(["position", "id"], as_index=False).agg(names=("tag", list))
        return together.assign(
            name=TAGS,
            label="Tags",
            before=None,
            after=together["names"].str.join("; "),
            json=together["names"].map(json.dumps),
        ).drop(columns="names")

    def _value_differences(self, session: Session, key: int, ids: pd.Series, rows: Rows) -> pd.DataFrame:
        new = self.own[key][ids.index]
        filled = new.notna().to_numpy()
        old = present(session, key, self.kinds[key], ids)
        differs = filled & (new.to_numpy() != old.to_numpy())
        new, old, mine = new[differs], old[differs], ids[differs]
        changes = pd.DataFrame({"customer_id": mine, "place": pd.NA, "attribute_id": key})
        changes["value"] = new
        self.new_values.append(changes)
        return pd.DataFrame(
            {
                "position": mine.index,
                "id": mine.to_numpy(),
                "name": f"attribute:{key}",
                "label": rows.targets[f"attribute:{key}"].label,
                "before": old.map(_words).to_numpy(),
                "after": new.map(_words).to_numpy(),
                "json": old.map(to_json).to_numpy(),
            }
        )


def read(session: Session, rows: Rows) -> Extras:
    """The mapped tags and own fields; what is wrong with them is rejected."""
    extras = Extras()
    if TAGS in rows:
        extras.tags = values.objects(rows, TAGS, _tags)
    wanted = {int(name.partition(":")[2]) for name in rows.targets if name.startswith("attribute:")}
    for row in session.execute(select(Attribute).where(Attribute.id.in_(wanted))).scalars():
        name = f"attribute:{row.id}"
        given = _given(rows, name, row.kind)
        clean, problems = attribute_fields.clean_series(row.kind, row.choices, given)
        rows.reject(problems.notna(), name, problems)
        extras.own[row.id], extras.kinds[row.id] = clean, row.kind
    return extras


def present(session: Session, key: int, kind: str, ids: pd.Series) -> pd.Series:
    """What customers have in an own field now, as it was cleaned, indexed like `ids`; None where nothing."""
    query = select(
        VALUE.c.customer_id, VALUE.c.position, VALUE.c.text, VALUE.c.number, VALUE.c.flag, VALUE.c.day
    ).where(VALUE.c.attribute_id == key)
    found = staging.by_id(session, query, VALUE.c.customer_id, ids)
    column = found[attribute_fields.COLUMNS[kind]]
    if kind == "list":
        found = found.sort_values(["customer_id", "position"])
        held = found.groupby("customer_id")["text"].agg(tuple)
    else:
        plain = column.dt.date if kind == "date" else column
        held = pd.Series(plain.to_numpy(dtype=object), index=found["customer_id"])
    if held.empty:
        return pd.Series(None, index=ids.index, dtype=object)
    held.index = held.index.astype("int64")
    there = held.astype(object).reindex(ids.to_numpy()).set_axis(ids.index)
    return there.where(there.notna(), None)


def to_json(value) -> str:
    """An own field's value as JSON."""
    return json.dumps(value.isoformat() if isinstance(value, date) else value)


def _given(rows: Rows, name: str, kind: str) -> pd.Series:
    """The cells as the field's kind: a file has its own way to write dates and decimals."""
    if kind == "number":
        return values.numbers(rows, name).astype(object)
    if kind == "date":
        days = values.days(rows, name)
        return days.dt.date.astype(object)
    return values.flags(rows, name).astype(object) if kind == "yes_no" else rows.texts(name).astype(object)


def _tags(text: str) -> tuple[object, str | None]:
    names: dict[str, str] = {}
    for part in text.split(";"):
        if part.strip():
            name, problem = tags.clean_name(part)
            if problem:
                return None, problem
            names.setdefault(fold(name), name)
    return tuple(names.values()) or None, None


def _words(value) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "; ".join(value)
    return f"{value:.15g}" if isinstance(value, float) else None if value is None else str(value)
