"""Fields that a workspace defines itself: which there are, and what one customer has in them."""

from datetime import date

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ma.models import Attribute, AttributeValue

# The fields that every customer has, folded: a field of one's own has another name.
OWN_NAMES = frozenset(
    ("first name", "last name", "name", "email", "e-mail", "e-mail address", "phone", "phone number",
     "external id", "gender", "date of birth", "birth date", "city", "postal code", "zip", "country",
     "customer since", "date of joining", "age", "age band", "income band", "home ownership",
     "marital status",
     "household size", "household composition", "kids", "consent", "tags", "tag", "notes")
)  # fmt: skip

Value = str | float | bool | date | tuple[str, ...]


def definitions(session: Session) -> pd.DataFrame:
    """The workspace's own fields by name: attribute_id, name, kind, choices (a list of texts, empty: any)."""
    rows = session.execute(
        select(Attribute.id, Attribute.name, Attribute.kind, Attribute.choices).order_by(
            Attribute.name_folded
        )
    ).all()
    return pd.DataFrame(
        {
            "attribute_id": pd.Series([row.id for row in rows], dtype="int64"),
            "name": pd.Series([row.name for row in rows], dtype="str"),
            "kind": pd.Series([row.kind for row in rows], dtype="str"),
            "choices": pd.Series([list(row.choices) for row in rows], dtype=object),
        }
    )


def values(session: Session, customer_id: int) -> dict[int, Value]:
    """What one customer has in the workspace's own fields, by attribute id; what is unknown is left out."""
    rows = session.execute(
        select(
            AttributeValue.attribute_id,
            Attribute.kind,
            AttributeValue.text,
            AttributeValue.number,
            AttributeValue.flag,
            AttributeValue.day,
        )
        .join(Attribute, Attribute.id == AttributeValue.attribute_id)
        .where(AttributeValue.customer_id == customer_id)
        .order_by(AttributeValue.attribute_id, AttributeValue.position)
    ).all()
    found: dict[int, Value] = {}
    for row in rows:
        if row.kind == "list":
            found[row.attribute_id] = (*found.get(row.attribute_id, ()), row.text)
        else:
            column = {"number": row.number, "yes_no": row.flag, "date": row.day}
            found[row.attribute_id] = column.get(row.kind, row.text)
    return found


def filled(session: Session, attribute_id: int) -> int:
    """How many customers have something in a field, deleted ones too: what deleting it would lose."""
    return session.scalar(
        select(func.count(AttributeValue.customer_id.distinct())).where(
            AttributeValue.attribute_id == attribute_id
        )
    )
