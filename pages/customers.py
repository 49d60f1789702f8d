"""Customers: find, add, and open one."""

import streamlit as st

from ma.analytics import customers as customer_data
from ma.errors import NotFound
from ma.text import whole_number
from ma.types import Channel, Permission
from ui import customer_form, customer_view, tables
from ui.export import export_button
from ui.page import current_actor, page
from ui.paging import Paging
from ui.session import now, reading, workspace
from ui.text import literal

PAGE = 25
LONGEST = 200
# What the list can be sorted by: name in the address -> (name on the screen, column, descending).
SORTS = {
    "name": ("Last name, A to Z", "name", False),
    "spend": ("Spend, highest first", "spend", True),
    "orders": ("Orders, most first", "orders", True),
    "latest": ("Last order, latest first", "last_order", True),
    "longest": ("Last order, longest ago first", "last_order", False),
    "engagement": ("Engagement, highest first", "engagement", True),
    "city": ("City, A to Z", "city", False),
    "email": ("E-mail, A to Z", "email", False),
    "newest": ("Newest first", "created", True),
}

actor = page("Customers", Permission.READ)
may_edit = actor.may(Permission.EDIT_CUSTOMERS)


def close_customer() -> None:
    """Go back to the list, with the search it had."""
    st.query_params.pop("id", None)


wanted = st.query_params.get("id")
if wanted is not None:
    st.button("All customers", icon=":material/arrow_back:", type="tertiary", on_click=close_customer)
    try:
        customer_id = whole_number(wanted, digits=18)
        if customer_id is None:
            raise NotFound("The address names no customer.")
        customer_view.show(actor, customer_id)
    except NotFound as error:
        st.error(f"{literal(error)} Choose one from the list of all customers.", icon=":material/person_off:")
    st.stop()


def first_page() -> None:
    """After another search or order, the old page number means nothing."""
    st.query_params.pop("page", None)


def in_address(name: str, value: str) -> None:
    """Keep a choice in the address.

    Binding the widgets would write labels there instead of values, and lose them while a customer is open.
    """
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def chosen_channels() -> list[str]:
    """The consent filter, which is drawn below the export that uses it."""
    if "customers-consent" in st.session_state:
        return st.session_state["customers-consent"]
    return [name for name in st.query_params.get("consent", "").split(",") if name in list(Channel)]


def show_everybody() -> None:
    """Take the search and the filter off."""
    for name in ("q", "consent", "page"):
        st.session_state.pop(f"customers-{name}", None)
        st.query_params.pop(name, None)


def open_customer() -> None:
    """Go to the customer whose button was clicked."""
    current_actor()
    row = st.session_state["open-customer"]["row"]
    st.query_params["id"] = str(st.session_state["listed-customers"][row])


place, as_of = workspace(), now()
with reading() as session:
    everybody = customer_data.customer_count(session, as_of=as_of)
if everybody == 0:
    st.info(
        "**No customers yet.** This page lists the people you can write to, with what they bought and did. "
        "It is empty because nobody was added or imported so far.",
        icon=":material/group_add:",
    )
    if may_edit and st.button(
        "Add the first customer", type="primary", icon=":material/person_add:", key="add"
    ):
        customer_form.add()
    st.stop()

search, order, actions = st.columns([5, 3, 4], vertical_alignment="bottom")
with search:
    q = st.text_input(
        "Search customers",
        type="search",
        placeholder="Name, e-mail, phone, city, postal code or id",
        live=True,
        value=st.query_params.get("q", "")[:LONGEST],
        max_chars=LONGEST,
        key="customers-q",
        on_change=first_page,
    )
    in_address("q", q)
with order:
    sort = st.selectbox(
        "Sort by",
        list(SORTS),
        format_func=lambda name: SORTS[name][0],
        index=list(SORTS).index(st.query_params["sort"]) if st.query_params.get("sort") in SORTS else 0,
        key="customers-sort",
        on_change=first_page,
    )
    in_address("sort", "" if sort == "name" else sort)
with actions, st.container(horizontal=True, horizontal_alignment="right"):
    _, column, descending = SORTS[sort]
    export_button(
        "customers",
        q=q or None,
        sort=column,
        descending="1" if descending else None,
        channel_consent=",".join(chosen_channels()) or None,
    )
    if may_edit and st.button("Add customer", type="primary", icon=":material/person_add:", key="add"):
        customer_form.add()
channels = st.pills(
    "They allow messages by",
    [channel.value for channel in Channel],
    format_func=lambda channel: Channel(channel).label,
    selection_mode="multi",
    default=chosen_channels(),
    key="customers-consent",
    on_change=first_page,
)
in_address("consent", ",".join(channels))

filters = {"q": q, "channel_consent": ",".join(channels)}
with reading() as session:
    total = customer_data.customer_count(session, as_of=as_of, **filters)
    paging = Paging("page", total, PAGE, view=f"{sort}-{filters}", in_address=True)
    frame = customer_data.customers(
        session,
        as_of=as_of,
        sort=column,
        descending=descending,
        limit=paging.limit,
        offset=paging.offset,
        **filters,
    )
if frame.empty:
    st.info("Nobody fits this search. Try fewer letters or fewer filters.", icon=":material/search_off:")
    st.button("Show everybody", on_click=show_everybody, key="everybody")
    st.stop()

st.session_state["listed-customers"] = frame["customer_id"].tolist()
table = tables.major(frame, ["spend_minor"], currency=place.currency)
table = table.assign(
    open="Open",
    name=table["name"].fillna("–"),
    place=table["city"].str.cat(table["country"], sep=", ").fillna(table["city"]).fillna(table["country"]),
    last_order=table["last_order_at"].dt.tz_convert(place.timezone).dt.date,
)
st.dataframe(
    table[["open", "name", "email", "place", "orders", "spend", "last_order", "engagement"]],
    hide_index=True,
    height="content",
    column_config={
        "open": st.column_config.ButtonColumn(
            "", type="tertiary", width=58, pinned=True, key="open-customer", on_click=open_customer
        ),
        "name": st.column_config.TextColumn("Name", width=160),
        "email": st.column_config.TextColumn("E-mail", width=215),
        "place": st.column_config.TextColumn("City", width=135),
        "orders": tables.count("Orders"),
        "spend": tables.money("Spend", place.currency),
        "last_order": tables.day("Last order"),
        "engagement": st.column_config.ProgressColumn(
            "Engagement",
            width=120,
            format="%.0f",
            min_value=0,
            max_value=100,
            help="0 to 100; a customer's page says what it is made of.",
        ),
    },
    placeholder="–",
    key="customer-list",
)
with st.container(horizontal=True, vertical_alignment="center"):
    found = f"{total:,} customer{'' if total == 1 else 's'}"
    st.markdown(f"**{found}**" if total == everybody else f"**{found}** of {everybody:,}", width="content")
    st.space("stretch")
    paging.draw()
if place.is_demo:
    st.caption(
        "Demo data: name, contact, consent and visits are invented; purchases and demographics are real."
    )
