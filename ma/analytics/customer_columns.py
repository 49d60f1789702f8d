"""The columns of a list of customers: what each is called, shows and is sorted by."""

from dataclasses import dataclass

from sqlalchemy import BigInteger, ColumnElement, and_, case, cast, select

from ma.errors import InvalidInput
from ma.models import Customer, CustomerScore
from ma.types import Channel


@dataclass(frozen=True)
class Column:
    """One column. `shown` are the frame's columns, `sorted_by` those of the table, the first one first.

    `highest_first`: the direction that people mean when they do not say one. `walked`: an index has this
    order.
    """

    name: str
    title: str
    kind: str
    shown: dict[str, ColumnElement]
    sorted_by: tuple[ColumnElement, ...]
    walked: bool = False

    @property
    def highest_first(self) -> bool:
        """Whether numbers and times, of which the highest or latest matter most."""
        return self.kind in ("count", "money", "score", "moment")

    @property
    def is_sortable(self) -> bool:
        """Whether each customer has one of it."""
        return bool(self.sorted_by)


def _column(name: str, title: str, kind: str, column, *, label: str = "", by=None, walked=False) -> Column:
    by = column if by is None else by
    shown = cast(column, BigInteger) if kind == "money" else column
    return Column(name, title, kind, {label or name: shown}, (by,), walked)


def _consent(channel: Channel) -> Column:
    name = f"consent_{channel}"
    return _column(name, f"{channel.label} consent", "yes_no", getattr(Customer, name))


def _score(title: str, kind: str, label: str) -> Column:
    """A score: looked up for the customers who are shown, and only where somebody asks for it."""
    column = getattr(CustomerScore, label)
    theirs = select(column).where(CustomerScore.customer_id == Customer.id).correlate(Customer)
    return Column(label.removesuffix("_minor"), title, kind, {label: theirs.scalar_subquery()}, ())


_NAME = {"first_name": Customer.first_name, "last_name": Customer.last_name}
_CATALOGUE = (
    Column("name", "Name", "text", _NAME, (Customer.last_name_folded, Customer.first_name_folded), True),
    _column("email", "E-mail", "text", Customer.email, by=Customer.email_folded),
    _column("phone", "Phone", "text", Customer.phone),
    _column("external_id", "External id", "text", Customer.external_id),
    _column("city", "City", "text", Customer.city, by=Customer.city_folded),
    _column("postal_code", "Postal code", "text", Customer.postal_code),
    _column("country", "Country", "text", Customer.country),
    Column("tags", "Tags", "tags", {}, ()),
    *map(_consent, Channel),
    _column("orders", "Orders", "count", Customer.orders),
    _column("spend", "Spend", "money", Customer.spend_minor, label="spend_minor", walked=True),
    _column(
        "average_order", "Average order", "money", Customer.average_order_minor, label="average_order_minor"
    ),
    _column("first_order", "First order", "moment", Customer.first_order_at, label="first_order_at"),
    _column("last_order", "Last order", "moment", Customer.last_order_at, label="last_order_at", walked=True),
    _column("favourite_category", "Favourite category", "text", Customer.favourite_category),
    _column("visits", "Visits", "count", Customer.visits),
    _column("last_visit", "Last visit", "moment", Customer.last_visit_at, label="last_visit_at"),
    _column("engagement", "Engagement", "score", Customer.engagement, walked=True),
    _score("RFM segment", "text", "rfm_segment"),
    _score("Churn risk", "rate", "churn_risk"),
    _score("Expected value", "money", "expected_value_minor"),
    _column("gender", "Gender", "text", Customer.gender),
    _column("birth_date", "Birth date", "day", Customer.birth_date),
    _column("joined_on", "Joined on", "day", Customer.joined_on),
    _column("age_band", "Age band", "text", Customer.age_band),
    _column("income_band", "Income band", "text", Customer.income_band),
    _column("home_ownership", "Home ownership", "text", Customer.home_ownership),
    _column("marital_status", "Marital status", "text", Customer.marital_status),
    _column("household_size", "Household size", "text", Customer.household_size),
    _column("household_composition", "Household composition", "text", Customer.household_composition),
    _column("kids", "Kids", "text", Customer.kids),
    _column("created", "Added", "moment", Customer.created_at, label="created_at", walked=True),
    _column("updated", "Last change", "moment", Customer.updated_at, label="updated_at"),
)

COLUMNS: dict[str, Column] = {column.name: column for column in _CATALOGUE}
# What the value models say; RFM segments need no model.
PREDICTED = ("churn_risk", "expected_value")
# What a list shows when nobody chose.
USUAL = ("name", "email", "city", "country", "orders", "spend", "last_order", "engagement")
# What it has when nobody chose and it is no screen: an export, a notebook.
WHOLE = (
    "external_id", "name", "email", "phone", "city", "postal_code", "country",
    *(f"consent_{channel}" for channel in Channel),
    "orders", "spend", "last_order", "engagement", "created",
)  # fmt: skip


def sortable(name: str) -> Column:
    """A column by its name. Raises InvalidInput for an unknown one."""
    if name not in COLUMNS or not COLUMNS[name].is_sortable:
        known = ", ".join(column.name for column in COLUMNS.values() if column.is_sortable)
        raise InvalidInput({"sort": f"Customers cannot be sorted by '{name}'. Use one of {known}."})
    return COLUMNS[name]


def chosen(names: str) -> list[Column]:
    """Columns by their names, separated by commas. Raises InvalidInput for an unknown one."""
    wanted = list(dict.fromkeys(name for name in names.split(",") if name))
    if unknown := [name for name in wanted if name not in COLUMNS]:
        raise InvalidInput(
            {"columns": f"Customers have no column '{unknown[0]}'. Use one of {', '.join(COLUMNS)}."}
        )
    return [COLUMNS[name] for name in wanted]


@dataclass(frozen=True)
class Order:
    """The order of a list: missing values last, equal ones by id, both in the direction of the list.

    Within a last name, those without a first name stand first; without a last name the first name counts.
    An index has the known values in this order and the missing ones at one end, which end depends on the
    engine; so the list is walked in phases, each of which the index has in order.
    """

    columns: tuple[ColumnElement, ...]
    descending: bool
    walked: bool = False
    missing_last: bool = True

    @classmethod
    def by(cls, column: Column, *, descending: bool) -> "Order":
        """The order by a column of the catalogue."""
        return cls(column.sorted_by, descending, column.walked)

    def reversed(self) -> "Order":
        """The same list read from its end."""
        return Order(self.columns, not self.descending, self.walked, not self.missing_last)

    def phases(self) -> list[tuple[ColumnElement, ...]]:
        """The conditions of each phase, first to last: every customer is in exactly one of them."""
        known, missing = [], ()
        for column in self.columns:
            known.append((*missing, column.is_not(None)))
            if not column.nullable:
                return known
            missing = (*missing, column.is_(None))
        return [*known, missing] if self.missing_last else [missing, *known[::-1]]

    def natural(self) -> list[ColumnElement]:
        """What a phase is ordered by, exactly as the index has it."""
        # An engine that tests deleted_at for NULL does not know yet that it is always the same.
        directed = [self._directed(column) for column in (Customer.deleted_at, *self.columns, Customer.id)]
        # See the index: the first name is the only second column.
        if len(self.columns) > 1:
            directed[2] = directed[2].nulls_last() if self.descending else directed[2].nulls_first()
        return directed

    def keys(self) -> list[ColumnElement]:
        """What the whole list is ordered by, where it is sorted and not walked."""
        first, *others = ordered = self.natural()[1:]
        if not self.columns[0].nullable:
            return ordered
        if len(self.columns) == 1:
            return [first.nulls_last() if self.missing_last else first.nulls_first(), *others]
        *ranked, _ = self.phases()
        return [case(*[(and_(*phase), i) for i, phase in enumerate(ranked)], else_=len(ranked)), *ordered]

    def _directed(self, column: ColumnElement) -> ColumnElement:
        return column.desc() if self.descending else column.asc()
