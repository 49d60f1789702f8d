"""Conditions on facts of the profile: columns of the customer, own fields, tags."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, not_, or_, select

from ma.rules.fields import Field, Kind
from ma.rules.nodes import FieldRule
from ma.rules.operators import OPERATORS
from ma.rules.sql_context import Context, Truth, among, among_owners
from ma.rules.sql_values import Text, compared


def column_condition(rule: FieldRule, field: Field, context: Context) -> ColumnElement:
    """A condition on a column of the row itself, of a customer or of an event; never NULL."""
    operator, is_known = OPERATORS[rule.operator], field.column.is_not(None)
    if operator.tests_presence:
        return is_known if operator.name == "is_set" else field.column.is_(None)
    holds = _compared_with(rule, field, context)
    if not field.can_be_missing:
        return holds
    return or_(field.column.is_(None), holds) if rule.missing_matches else and_(is_known, holds)


def field_truth(rule: FieldRule, field: Field, context: Context) -> Truth:
    """A condition on a fact of the customer's."""
    can_be_open = field.can_be_missing and not field.absent
    compares = not OPERATORS[rule.operator].tests_presence and not rule.missing_matches
    left_open = missing(field) if compares and can_be_open else None
    if field.rows is not None:
        return Truth(_rows_condition(rule, field, context), left_open)
    # PostgreSQL takes "known, and greater" for two independent conditions and expects too few customers.
    chosen = _compared_with(rule, field, context) if compares else None
    return Truth(column_condition(rule, field, context), left_open, chosen)


def missing(field: Field) -> ColumnElement:
    """The customers who do not have a fact."""
    return field.column.is_(None) if field.rows is None else not_(_is_known(field))


def _compared_with(rule: FieldRule, field: Field, context: Context) -> ColumnElement:
    return OPERATORS[rule.operator].sql(_compared(field, context), rule.value)


def _compared(field: Field, context: Context):
    return compared(field.column, field.kind, today=context.today, timezone=context.timezone)


def _is_known(field: Field) -> ColumnElement:
    return among(_rows(field).where(field.column.is_not(None)))


def _rows(field: Field):
    return select(field.rows.owner).where(*field.rows.where)


def _rows_condition(rule: FieldRule, field: Field, context: Context) -> ColumnElement:
    """A condition on what stands in rows of another table, one for each item."""
    operator = OPERATORS[rule.operator]
    if operator.tests_presence:
        return _is_known(field) if operator.name == "is_set" else missing(field)
    if field.kind is Kind.LIST:
        holds = operator.sql(_Items(field), rule.value)
        # Somebody without any item has none of them, but that is unknown rather than true.
        if operator.name == "has_none" and not rule.missing_matches:
            return and_(_is_known(field), holds)
    else:
        holds = among(_rows(field).where(operator.sql(_compared(field, context), rule.value)))
    return or_(missing(field), holds) if rule.missing_matches else holds


@dataclass(frozen=True)
class _Items:
    """The items of a list, each in a row of its own."""

    field: Field

    def any_of(self, values: tuple[str, ...]) -> ColumnElement:
        return among(_rows(self.field).where(Text(self.field.column).one_of(values)))

    def all_of(self, values: tuple[str, ...]) -> ColumnElement:
        wanted = {Text.fold(value) for value in values}
        owners = _rows(self.field).where(self.field.column.in_(sorted(wanted)))
        different = func.count(self.field.column.distinct())
        return among_owners(owners.group_by(self.field.rows.owner).having(different == len(wanted)))
