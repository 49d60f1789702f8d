"""A rule's SQL for one customer: the tables of facts are then read for that customer only.

A database works out `customer.id IN (SELECT … GROUP BY customer_id)` for everybody, also where the statement
asks for one customer: seconds with millions of purchases. So the customer is named inside too.
"""

from dataclasses import replace

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression

from ma.models import ConsentChange, Customer, Purchase
from ma.rules.catalogue import Catalogue


def of_one(condition: ColumnElement, customer_id: int) -> ColumnElement:
    """A condition over customers, equal to the given one where `Customer.id` is `customer_id`."""
    their_orders = select(Purchase.id).where(Purchase.customer_id == customer_id).correlate(None)
    narrowed = {
        Customer.__table__.c.id: lambda ids: ids == customer_id,
        ConsentChange.__table__.c.customer_id: lambda ids: ids == customer_id,
        Purchase.__table__.c.id: lambda ids: ids.in_(their_orders),
    }

    def narrow(binary: BinaryExpression) -> None:
        if binary.operator not in (operators.in_op, operators.not_in_op):
            return
        inside = getattr(binary.right, "element", binary.right)
        for column, condition_of in narrowed.items():
            if isinstance(inside, Select) and column.compare(binary.left):
                [ids] = inside.selected_columns
                binary.right = inside.where(condition_of(ids)).scalar_subquery()

    return visitors.cloned_traverse(condition, {}, {"binary": narrow})


def catalogue_of_one(catalogue: Catalogue, customer_id: int) -> Catalogue:
    """The catalogue with the facts of one customer only: events, own fields, tags."""
    events = {
        name: replace(kind, where=(*kind.where, kind.owner == customer_id))
        for name, kind in catalogue.events.items()
    }
    fields = {
        name: replace(
            field, rows=replace(field.rows, where=(*field.rows.where, field.rows.owner == customer_id))
        )
        if field.rows
        else field
        for name, field in catalogue.fields.items()
    }
    return replace(catalogue, events=events, fields=fields)
