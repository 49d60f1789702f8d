"""The list of customers: search, filters, order, columns, and what can be done with all of them."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import customers as customer_data
from ma.analytics.customer_columns import COLUMNS, PREDICTED, USUAL, Column
from ma.analytics.customers import Found
from ma.analytics.search import LONGEST, terms
from ma.analytics.value_models import value_model
from ma.analytics.workspace import WorkspaceInfo
from ma.text import in_sentence
from ma.types import Actor, Permission
from ui import (
    attribute_editor,
    customer_form,
    customer_list_actions,
    customer_list_filters,
    customer_list_views,
    tables,
)
from ui import customer_list_address as address
from ui.customer_list_address import Shown
from ui.export import export_button
from ui.links import link
from ui.page import current_actor
from ui.paging import Paging
from ui.session import now, reading, workspace
from ui.text import literal

PAGE = 25
# (ascending, descending) by the kind of a column.
_DIRECTIONS = {
    "text": ("A to Z", "Z to A"),
    "yes_no": ("No first", "Yes first"),
    "day": ("Earliest first", "Latest first"),
    "moment": ("Earliest first", "Latest first"),
}
_NUMBERS = ("Lowest first", "Highest first")
_WIDTHS = {"name": 155, "email": 222, "city": 120, "country": 70, "tags": 150}


def show(actor: Actor) -> None:
    """Draw the list."""
    place, as_of = workspace(), now()
    with reading() as session:
        everybody = customer_data.customer_count(session, as_of=as_of).people
    if everybody == 0:
        _nobody_yet(actor)
        return
    customer_list_views.follow(actor)
    round_number = address.round_number()
    _heading(actor, round_number)
    for problem in address.read().problems:
        st.warning(literal(problem), icon=":material/filter_list_off:")
    customer_list_filters.draw(address.read(), currency=place.currency, round_number=round_number)
    search = address.read().search
    found = Found(everybody)
    if not search.is_everybody:
        with reading() as session:
            found = customer_data.customer_count(session, search, as_of=as_of)
    _toolbar(actor, found, everybody, round_number)
    address.seen()
    if found.people:
        _table(address.read(), found, place, as_of)
    else:
        st.info("Nobody fits this search. Try fewer letters or fewer filters.", icon=":material/search_off:")
        st.button("Show everybody", on_click=address.everybody, key="everybody")


def _nobody_yet(actor: Actor) -> None:
    st.info(
        "**No customers yet.** This page lists the people you can write to, with what they bought and did. "
        "It is empty because nobody was added or imported so far.",
        icon=":material/group_add:",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if actor.may(Permission.EDIT_CUSTOMERS) and st.button(
            "Add the first customer", type="primary", icon=":material/person_add:", key="add"
        ):
            customer_form.add()
        if actor.may(Permission.IMPORT):
            link("files", "Import customers from a file", icon=":material/upload:")


def _heading(actor: Actor, round_number: int) -> None:
    """The search, the views and the one primary action."""
    search, actions = st.columns([7, 4], vertical_alignment="bottom")
    with search:
        q = st.text_input(
            "Search customers",
            type="search",
            placeholder="Name, e-mail, phone, city, postal code or id",
            live=True,
            value=address.read().q,
            max_chars=LONGEST,
            label_visibility="collapsed",
            key=f"customers-q-{round_number}",
            on_change=address.first_page,
        )
        address.keep("q", q)
    with actions, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        customer_list_views.draw(actor)
        if actor.may(Permission.EDIT_CUSTOMERS) and st.button(
            "Add customer", type="primary", icon=":material/person_add:", key="add"
        ):
            customer_form.add()
    if q.strip() and not terms(q).terms:
        st.caption("A search needs letters or digits.")


def _toolbar(actor: Actor, found: Found, everybody: int, round_number: int) -> None:
    """How many there are, their order and columns, and what can be done with them."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="customer-toolbar"):
        st.markdown(_counted(found, everybody), width="content")
        st.space("stretch")
        _sort(round_number)
        _columns(round_number)
        if found.people:
            customer_list_actions.menu(actor, address.read().search)
            export_button("customers", **address.read().export)


def _counted(found: Found, everybody: int) -> str:
    people = f"{found.people:,} customer{'' if found.people == 1 else 's'}"
    if not found.exact:
        return f"**More than {people}** of {everybody:,}"
    return f"**{people}**" if found.people == everybody else f"**{people}** of {everybody:,}"


def _sort(round_number: int) -> None:
    shown = address.read()
    names = [name for name, column in COLUMNS.items() if column.is_sortable]
    sort = st.selectbox(
        "Sort by",
        names,
        format_func=_sorted_by,
        index=names.index(shown.sort),
        label_visibility="collapsed",
        width=195,
        key=f"customers-sort-{round_number}",
        on_change=address.first_page,
    )
    # Another column begins with the direction that people mean by it.
    descending = shown.descending if sort == shown.sort else COLUMNS[sort].highest_first
    address.keep_sort(sort, descending)
    words = _DIRECTIONS.get(COLUMNS[sort].kind, _NUMBERS)[descending]
    st.button(
        words,
        icon=":material/arrow_downward:" if descending else ":material/arrow_upward:",
        help="Turn the order round",
        key="turn-order",
        on_click=_turn,
    )


def _sorted_by(name: str) -> str:
    return f"Sort by {in_sentence(COLUMNS[name].title)}"


def _turn() -> None:
    shown = address.read()
    address.keep_sort(shown.sort, not shown.descending)
    address.first_page()


def _columns(round_number: int) -> None:
    with st.popover("Columns", icon=":material/view_column:", key="column-menu"):
        columns = st.pills(
            "Columns of the list",
            list(COLUMNS),
            format_func=lambda name: COLUMNS[name].title,
            selection_mode="multi",
            default=list(address.read().columns),
            key=f"customers-columns-{round_number}",
        )
        chosen = tuple(name for name in COLUMNS if name in columns)
        address.keep("columns", "" if set(chosen) == set(USUAL) else ",".join(chosen))
        if set(chosen) != set(USUAL):
            st.button("Usual columns", type="tertiary", key="usual-columns", on_click=_usual)
        if current_actor().may(Permission.EDIT_CUSTOMERS):
            attribute_editor.manage_button()


def _usual() -> None:
    address.keep("columns", "")


def _table(shown: Shown, found: Found, place: WorkspaceInfo, as_of: datetime) -> None:
    search = shown.export | {"columns": ",".join(shown.columns)}
    searched = {name: search[name] or "" for name in ("q", "rule", "tag", "consent")}
    view = f"{shown.sort}-{shown.descending}-{searched}"
    paging = Paging("page", found.people, PAGE, view=view, in_address=True)
    with reading() as session:
        frame = customer_data.customers(
            session,
            as_of=as_of,
            **searched,
            sort=shown.sort,
            descending=shown.descending,
            columns=",".join(shown.columns),
            limit=paging.limit,
            offset=paging.offset,
            total=found.people if found.exact else None,
        )
    st.session_state["listed-customers"] = frame["customer_id"].tolist()
    st.dataframe(
        _displayed(frame, place),
        hide_index=True,
        height="content",
        column_config={
            "open": st.column_config.ButtonColumn(
                "", type="tertiary", width=58, pinned=True, key="open-customer", on_click=_open
            ),
            **{name: _config(COLUMNS[name], place) for name in shown.columns},
        },
        column_order=["open", *shown.columns],
        placeholder="–",
        key="customer-list",
    )
    _trust(shown)
    with st.container(horizontal=True, vertical_alignment="center"):
        if not found.exact:
            st.caption("Narrow the search to see those further down.")
        st.space("stretch")
        paging.draw()
    if place.is_demo:
        st.caption(
            "Demo data: name, contact, consent and visits are invented; purchases and demographics are real."
        )


def _trust(shown: Shown) -> None:
    """Under what the value models say: where it is not to be relied on."""
    if not set(PREDICTED) & set(shown.columns):
        return
    with reading() as session:
        model = value_model(session)
    if model is None:
        st.caption("Customers have not been scored yet: it happens once a day.")
    elif model["status"] != "good":
        word = "uncertain" if model["status"] == "uncertain" else "not known"
        problems = " ".join(literal(problem) for problem in model["problems"])
        st.caption(f":material/warning: Churn risk and expected value are {word}. {problems}")


def _displayed(frame: pd.DataFrame, place: WorkspaceInfo) -> pd.DataFrame:
    """The page as it is shown: amounts in major units, days of the workspace, a dash for what is unknown."""
    amounts = [name for name in frame if name.endswith("_minor")]
    table = tables.major(frame, amounts, currency=place.currency)
    for name in [name for name in table if name.endswith("_at")]:
        table[name.removesuffix("_at")] = table[name].dt.tz_convert(place.timezone).dt.date
    if "name" in table:
        table["name"] = table["name"].fillna("–")
    return table.assign(open="Open")


def _config(column: Column, place: WorkspaceInfo):
    width = _WIDTHS.get(column.name)
    match column.kind:
        case "count":
            return tables.count(column.title)
        case "money":
            return tables.money(column.title, place.currency)
        case "moment" | "day":
            return tables.day(column.title)
        case "rate":
            return tables.rate(column.title)
        case "yes_no":
            return st.column_config.CheckboxColumn(column.title)
        case "score":
            return st.column_config.ProgressColumn(
                column.title,
                width=120,
                format="%.0f",
                min_value=0,
                max_value=100,
                help="0 to 100; a customer's page says what it is made of.",
            )
        case _:
            return st.column_config.TextColumn(column.title, width=width)


def _open() -> None:
    """Go to the customer whose button was clicked."""
    current_actor()
    row = st.session_state["open-customer"]["row"]
    st.query_params["id"] = str(st.session_state["listed-customers"][row])
