"""One customer as it is stored: the fields that can be edited, and the figures derived from facts."""

from sqlalchemy import BigInteger, cast, select
from sqlalchemy.orm import Session

from ma.errors import NotFound
from ma.models import Customer

FIELDS = (
    "external_id", "first_name", "last_name", "email", "phone", "gender", "birth_date", "city", "postal_code",
    "country", "joined_on", "age_band", "income_band", "home_ownership", "marital_status", "household_size",
    "household_composition", "kids", "consent_email", "consent_sms", "consent_push", "consent_direct_mail",
    "consent_ads",
)  # fmt: skip
FIGURES = (
    "orders", "spend_minor", "average_order_minor", "first_order_at", "last_order_at", "favourite_category",
    "visits", "last_visit_at", "engagement", "profiled_at",
)  # fmt: skip
_MONEY = ("spend_minor", "average_order_minor")


def customer_record(session: Session, customer_id: int) -> dict:
    """One customer in one read: customer_id, version, FIELDS, created_at, updated_at, and `figures`.

    The figures (FIGURES) are those of the last rebuild of the profile, at profiled_at; spend is the lifetime
    value to date. Raises NotFound, for deleted customers too.
    """
    columns = [
        cast(Customer.__table__.c[name], BigInteger).label(name)
        if name in _MONEY
        else Customer.__table__.c[name]
        for name in ("id", "version", *FIELDS, "created_at", "updated_at", *FIGURES)
    ]
    row = session.execute(
        select(*columns).where(Customer.id == customer_id, Customer.deleted_at.is_(None))
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no customer {customer_id}. They may have been deleted.")
    values = dict(row._mapping)
    figures = {name: values.pop(name) for name in FIGURES}
    return {"customer_id": values.pop("id"), **values, "figures": figures}
