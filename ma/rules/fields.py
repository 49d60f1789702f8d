"""The catalogue of profile fields: one row each drives the editor, the validator, the SQL and the English."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement

from ma.models import Customer, CustomerScore, CustomerTag, Tag

LARGEST = 2**63 - 1
OLDEST = 150


class Kind(StrEnum):
    """What sort of fact a field is. It decides the operators, the values and how they are compared."""

    TEXT = "text"
    CODE = "code"
    CHOICE = "choice"
    YES_NO = "yes or no"
    COUNT = "count"
    NUMBER = "number"
    MONEY = "money"
    AGE = "age"
    DATE = "date"
    MOMENT = "moment"
    LIST = "list"


@dataclass(frozen=True)
class Rows:
    """Where a fact stands that is not on the customer's own row: a list has one for each item."""

    owner: ColumnElement
    where: tuple[ColumnElement, ...] = ()


@dataclass(frozen=True)
class Field:
    """One fact of a customer or of an event. `label` stands in the middle of a sentence.

    `column` is what is compared; it is None for what is computed (the measures of events). `rows` says where
    the column stands if not on the row itself. `suggests`: the editor offers the values that are in the data.
    `absent`: what is so of whoever has none, in words, where that is known: "never" had they a last visit. It
    is empty where a missing fact is unknown.
    """

    name: str
    label: str
    kind: Kind
    column: ColumnElement | None
    about: str
    low: int | None = None
    high: int | None = None
    rows: Rows | None = None
    suggests: bool = False
    always_known: bool = False
    absent: str = ""

    @property
    def can_be_missing(self) -> bool:
        """Whether there are customers (or events) who have none: it is unknown, or never was."""
        if self.always_known or self.column is None or self.rows is not None:
            return not self.always_known
        return self.column.nullable

    @property
    def title(self) -> str:
        """The label as a heading."""
        return self.label[0].upper() + self.label[1:]


def _text(name: str, label: str, column: ColumnElement, about: str, **options) -> Field:
    return Field(name, label, Kind.TEXT, column, about, **options)


def _code(name: str, label: str, column: ColumnElement, about: str, **options) -> Field:
    return Field(name, label, Kind.CODE, column, about, **options)


def _choice(name: str, label: str, column: ColumnElement, about: str, *, absent: str = "") -> Field:
    return Field(name, label, Kind.CHOICE, column, about, suggests=True, absent=absent)


def _consent(name: str, label: str, column: ColumnElement, channel: str) -> Field:
    return Field(name, label, Kind.YES_NO, column, f"Whether they allow {channel}.")


def _count(name: str, label: str, column: ColumnElement, about: str) -> Field:
    return Field(name, label, Kind.COUNT, column, about, low=0, high=LARGEST)


def _money(name: str, label: str, column: ColumnElement, about: str, *, absent: str = "") -> Field:
    return Field(name, label, Kind.MONEY, column, about, low=-LARGEST, high=LARGEST, absent=absent)


def _day(name: str, label: str, column: ColumnElement, about: str) -> Field:
    return Field(name, label, Kind.DATE, column, about)


def _moment(name: str, label: str, column: ColumnElement, about: str) -> Field:
    """When something happened that is counted from what customers did: without it, it never did."""
    return Field(name, label, Kind.MOMENT, column, about, absent="never")


def _score(name: str, label: str, kind: Kind, about: str, **options) -> Field:
    """A figure of the value models; whoever has not been scored has none."""
    column = getattr(CustomerScore, f"{name}_minor" if kind is Kind.MONEY else name)
    return Field(name, label, kind, column, about, rows=Rows(CustomerScore.customer_id), **options)


# In the order in which the editor lists them.
_CATALOGUE = (
    _money("lifetime_value", "lifetime value", Customer.spend_minor, "Net spend to date, after refunds."),
    _count("orders", "number of orders", Customer.orders, "Orders to date, refunds not counted."),
    _money(
        "average_order",
        "average order",
        Customer.average_order_minor,
        "Average amount of an order.",
        absent="no order yet",
    ),
    _moment("first_order", "first order", Customer.first_order_at, "When they first bought."),
    _moment("last_order", "last order", Customer.last_order_at, "When they last bought."),
    _choice(
        "favourite_category",
        "favourite category",
        Customer.favourite_category,
        "The category they spent most on.",
        absent="none yet",
    ),
    Field(
        "engagement",
        "engagement",
        Kind.NUMBER,
        Customer.engagement,
        "Engagement score from 0 to 100.",
        low=0,
        high=100,
    ),
    _count("visits", "number of visits", Customer.visits, "Web visits to date."),
    _moment("last_visit", "last visit", Customer.last_visit_at, "When they last visited the web site."),
    _score("rfm_segment", "RFM segment", Kind.CHOICE, "Of recency, frequency and amount.", suggests=True),
    _score("recency_score", "recency score", Kind.COUNT, "1 to 5; 5: bought last.", low=1, high=5),
    _score("frequency_score", "frequency score", Kind.COUNT, "1 to 5; 5: bought most often.", low=1, high=5),
    _score("monetary_score", "amount score", Kind.COUNT, "1 to 5; 5: spent most.", low=1, high=5),
    _score("churn_risk", "churn risk", Kind.NUMBER, "Chance from 0 to 1 that they are gone.", low=0, high=1),
    _score("order_chance", "chance to order", Kind.NUMBER, "From 0 to 1, within 12 months.", low=0, high=1),
    _score("expected_orders", "expected orders", Kind.NUMBER, "Within 12 months.", low=0, high=LARGEST),
    _score("expected_value", "expected value", Kind.MONEY, "Revenue within 12 months.", low=0, high=LARGEST),
    _score("next_channel", "best next channel", Kind.CHOICE, "By expected profit.", suggests=True),
    _score("next_offer", "best next offer", Kind.CHOICE, "A category, by expected profit.", suggests=True),
    Field(
        "age",
        "age",
        Kind.AGE,
        Customer.birth_date,
        "Age in whole years, from the birth date.",
        low=0,
        high=OLDEST,
    ),
    _choice("age_band", "age band", Customer.age_band, "The age band they were recorded in."),
    _choice("gender", "gender", Customer.gender, "As recorded."),
    _day("birth_date", "birth date", Customer.birth_date, "The day they were born."),
    _day("joined_on", "joining date", Customer.joined_on, "The day they became a customer."),
    _consent("consent_email", "e-mail consent", Customer.consent_email, "e-mail"),
    _consent("consent_sms", "SMS consent", Customer.consent_sms, "SMS"),
    _consent("consent_push", "push consent", Customer.consent_push, "push messages"),
    _consent("consent_direct_mail", "direct mail consent", Customer.consent_direct_mail, "direct mail"),
    _consent("consent_ads", "ads consent", Customer.consent_ads, "ads through ad platforms"),
    _choice("country", "country", Customer.country, "Two capital letters (ISO 3166)."),
    _text("city", "city", Customer.city_folded, "As recorded.", suggests=True),
    _code(
        "postal_code",
        "postal code",
        Customer.postal_code,
        "As recorded; leading zeros count.",
        suggests=True,
    ),
    _choice("income_band", "income band", Customer.income_band, "Yearly income of the household."),
    _choice("home_ownership", "home ownership", Customer.home_ownership, "Whether they own their home."),
    _choice("marital_status", "marital status", Customer.marital_status, "As recorded."),
    _choice("household_size", "household size", Customer.household_size, "People in the household."),
    _choice(
        "household_composition",
        "household composition",
        Customer.household_composition,
        "Adults and kids in the household.",
    ),
    _choice("kids", "number of kids", Customer.kids, "Kids in the household."),
    _text("first_name", "first name", Customer.first_name_folded, "As recorded."),
    _text("last_name", "last name", Customer.last_name_folded, "As recorded."),
    _text("email", "e-mail address", Customer.email_folded, "As recorded."),
    _code("phone", "phone number", Customer.phone, "As it was typed, with its spaces and signs."),
    _code("external_id", "external id", Customer.external_id, "The id in the system they come from."),
    Field(
        "tags",
        "tags",
        Kind.LIST,
        Tag.name_folded,
        "The words people put on them.",
        rows=Rows(CustomerTag.customer_id, (CustomerTag.tag_id == Tag.id,)),
        suggests=True,
    ),
)

FIELDS: dict[str, Field] = {field.name: field for field in _CATALOGUE}
