"""One customer's whole story on one screen."""

from datetime import date, datetime

import pandas as pd
import streamlit as st

from ma.analytics import profile as profiles
from ma.analytics import timeline as story
from ma.analytics.profile import Profile
from ma.charts import customers as charts
from ma.charts import theme
from ma.clock import local_day
from ma.types import Actor, Channel, Permission
from ui import customer_form, tables
from ui.export import export_button
from ui.links import link
from ui.paging import Paging
from ui.session import now, reading, workspace
from ui.text import literal

PAGE = 20
_STORIES = {
    "Purchases": ("purchase", "refund"),
    "Messages": tuple(kind for kind in story.KINDS if kind not in ("purchase", "refund", "visit")),
    "Web visits": ("visit",),
}
_ENGAGEMENT = (
    "0 to 100. Orders give up to 50 points, web visits up to 25, opens and clicks up to 25. The last 30 days "
    "count fully, the 30 before half, the 30 before those a quarter; older ones not at all."
)


def show(actor: Actor, customer_id: int) -> None:
    """Draw the customer. Raises NotFound."""
    place, as_of = workspace(), now()
    with reading() as session:
        one = {"customer_id": customer_id, "as_of": as_of}
        profile = profiles.profile(session, customer_id, as_of=as_of)
        months = profiles.spend_by_month(session, **one)
        categories = profiles.spend_by_category(session, **one)
        messages = profiles.customer_messages(session, **one)
        segments = profiles.customer_segments(session, **one)
    today = local_day(as_of, place.timezone)

    _heading(actor, profile)
    _cards(profile, months, place.currency, place.timezone, today)
    left, right = st.columns([5, 3], gap="medium")
    with left:
        _spending(months, categories, place.currency)
    with right:
        _about(profile)
        _reached(messages)
        _segments(segments, place.timezone)
    _records(customer_id, as_of, place.timezone)
    if place.is_demo:
        st.caption(
            "Demo data: name, contact, consent and visits are invented; purchases and demographics are real."
        )


def _heading(actor: Actor, profile: Profile) -> None:
    fields = profile.fields
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(literal(profile.name), anchor=False, width="content")
        st.space("stretch")
        if actor.may(Permission.EDIT_CUSTOMERS):
            if st.button("Edit", icon=":material/edit:", key="edit-customer"):
                customer_form.edit(profile)
            if st.button("Delete", icon=":material/delete:", type="tertiary", key="delete-customer"):
                customer_form.delete(profile)
    with st.container(horizontal=True, key="customer-contact"):
        for icon, value in (
            ("mail", fields["email"]),
            ("call", fields["phone"]),
            ("location_on", _place(fields)),
            ("tag", fields["external_id"]),
        ):
            if value:
                st.markdown(f":gray[:material/{icon}:] {literal(value)}", width="content")
    with st.container(horizontal=True, gap="small", key="customer-consent"):
        for channel in Channel:
            allowed = fields[f"consent_{channel}"]
            st.badge(
                f"{channel.label}: {'allowed' if allowed else 'not allowed'}",
                icon=":material/check:" if allowed else ":material/block:",
                color="green" if allowed else "gray",
            )


def _cards(profile: Profile, months: pd.DataFrame, currency: str, timezone: str, today: date) -> None:
    with st.grid(columns=4, border=True, min_column_width=150):
        st.metric(
            "Lifetime value to date",
            literal(theme.compact_money(profile.lifetime_value_minor, currency)),
            help="Everything they bought, refunds taken off: "
            + literal(tables.amount(profile.lifetime_value_minor, currency))
            + ".",
            delta=f"{literal(tables.amount(profile.average_order_minor, currency))} per order",
            delta_color="off",
            delta_arrow="off",
            height="stretch",
        )
        st.metric(
            "Orders",
            f"{profile.orders:,}",
            help="Sales, refunds not counted.",
            delta=f"{profile.refunds:,} refunds" if profile.refunds else "no refunds",
            delta_color="off",
            delta_arrow="off",
            height="stretch",
        )
        last = None if profile.last_order_at is None else local_day(profile.last_order_at, timezone)
        st.metric(
            "Last order",
            "–" if last is None else f"{last.day} {last:%b}",
            help=None if last is None else f"{last:%A}, {_day(last)}.",
            delta="never" if last is None else _ago(today, last),
            delta_color="off",
            delta_arrow="off",
            height="stretch",
        )
        recent = profile.recent
        st.metric(
            "Engagement score",
            "–" if profile.engagement is None else f"{profile.engagement:.0f} of 100",
            help=f"{_ENGAGEMENT} In the last 90 days: {recent['orders']} orders, "
            f"{recent['visits']} web visits, {recent['opened']} opens, {recent['clicked']} clicks.",
            delta=f"{recent['orders']} orders in 90 days",
            delta_color="off",
            delta_arrow="off",
            height="stretch",
        )


def _spending(months: pd.DataFrame, categories: pd.DataFrame, currency: str) -> None:
    with st.container(border=True):
        st.markdown("**Spending by month**")
        if months.empty:
            st.caption("No orders yet. Their spending appears here with the first one.")
            return
        st.plotly_chart(
            charts.spend_by_month(months, currency=currency), config=theme.CONFIG, key="spend-by-month"
        )
    if categories.empty:
        return
    with st.container(border=True):
        st.markdown("**Spending by category**")
        st.plotly_chart(
            charts.spend_by_category(categories, currency=currency), config=theme.CONFIG, key="by-category"
        )


def _about(profile: Profile) -> None:
    fields = profile.fields
    rows = {
        "Age": profile.age,
        "Age band": fields["age_band"],
        "Gender": fields["gender"] and fields["gender"].capitalize(),
        "Income band": fields["income_band"],
        "Home": fields["home_ownership"],
        "Marital status": fields["marital_status"],
        "Household": fields["household_composition"],
        "Household size": fields["household_size"],
        "Kids": fields["kids"],
        "Address": ", ".join(str(v) for v in (fields["postal_code"], _place(fields)) if v),
        "Customer since": fields["joined_on"] and _day(fields["joined_on"]),
        "Favourite category": profile.favourite_category,
        "Web visits": f"{profile.visits:,}" + (f" ({', '.join(profile.devices)})" if profile.devices else ""),
    }
    with st.container(border=True):
        st.markdown("**About**")
        _facts(rows)


def _reached(messages: pd.DataFrame) -> None:
    counts = messages.set_index("step")
    with st.container(border=True):
        st.markdown("**Messages**")
        if counts.loc["sent", "messages"] == 0:
            st.caption("They were sent no message yet.")
            return
        rows = {}
        for step, label in theme.STEP_LABELS.items():
            number, of = counts.loc[step, "messages"], counts.loc[step, "of"]
            known = "" if of == counts.loc["sent", "messages"] else f" (known of {of})"
            rows[label] = None if pd.isna(number) else f"{number:,}{known}"
        _facts(rows)
        st.caption("A channel that does not tell about a step is left out of it: unknown is not zero.")


def _segments(segments: pd.DataFrame, timezone: str) -> None:
    with st.container(border=True):
        st.markdown("**Segments**")
        if segments.empty:
            st.caption("In no segment at the last refresh.")
        for row in segments.itertuples():
            with st.container(horizontal=True, vertical_alignment="center"):
                link("segments", literal(row.name), icon=":material/filter_alt:", id=row.segment_id)
                st.space("stretch")
                st.caption(f"since {_day(local_day(row.entered_at, timezone))}", width="content")


def _records(customer_id: int, as_of: datetime, timezone: str) -> None:
    with st.container(border=True):
        timeline_tab, purchases_tab = st.tabs(["Timeline", "Purchases"], key="customer-records")
        with timeline_tab:
            _timeline(customer_id, as_of, timezone)
        with purchases_tab:
            _purchases(customer_id, as_of, timezone)


def _timeline(customer_id: int, as_of: datetime, timezone: str) -> None:
    chosen = st.pills(
        "Show only", list(_STORIES), selection_mode="multi", key="story", label_visibility="collapsed"
    )
    kinds = [kind for name in chosen for kind in _STORIES[name]]
    with reading() as session:
        one = {"customer_id": customer_id, "as_of": as_of, "kinds": kinds}
        paging = Paging(
            "story", story.timeline_count(session, **one), PAGE, view=f"{customer_id}-{'-'.join(chosen)}"
        )
        frame = story.timeline(session, **one, limit=paging.limit, offset=paging.offset)
    if frame.empty:
        st.caption("Nothing here yet. Purchases, messages and web visits appear as they happen.")
        return
    frame["kind"] = frame["kind"].map(story.KINDS)
    st.dataframe(
        tables.major(frame, ["amount_minor"])[["at", "kind", "title", "detail", "amount"]],
        hide_index=True,
        height="content",
        column_config={
            "at": tables.moment("When", timezone, width=150),
            "kind": "What",
            "title": st.column_config.TextColumn("Title", width="large"),
            "detail": "Detail",
            "amount": tables.money("Amount"),
        },
        placeholder="–",
        key="timeline-table",
    )
    _pages(paging, "entries", "timeline", customer_id=customer_id, kinds=",".join(kinds) or None)


def _purchases(customer_id: int, as_of: datetime, timezone: str) -> None:
    with reading() as session:
        one = {"customer_id": customer_id, "as_of": as_of}
        paging = Paging("purchases", profiles.purchase_count(session, **one), PAGE, view=str(customer_id))
        frame = profiles.customer_purchases(session, **one, limit=paging.limit, offset=paging.offset)
    if frame.empty:
        st.caption("No orders yet.")
        return
    frame["kind"] = frame["kind"].str.capitalize()
    st.dataframe(
        tables.major(frame, ["amount_minor"])[
            ["at", "external_key", "kind", "items", "categories", "amount"]
        ],
        hide_index=True,
        height="content",
        column_config={
            "at": tables.moment("When", timezone, width=150),
            "external_key": "Order",
            "kind": "Kind",
            "items": tables.count("Items"),
            "categories": tables.count("Categories"),
            "amount": tables.money("Amount"),
        },
        placeholder="–",
        key="purchases-table",
    )
    _pages(paging, "orders and refunds", "customer_purchases", customer_id=customer_id)


def _pages(paging: Paging, noun: str, frame: str, **params: object) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{paging.total:,} {noun}", width="content")
        st.space("stretch")
        paging.draw()
        export_button(frame, key=f"export-{frame}", **params)


def _facts(rows: dict[str, object]) -> None:
    """Names and values below each other; unknown is –."""
    shown = [
        (f":gray[{label}]", "–" if value in (None, "") else literal(value)) for label, value in rows.items()
    ]
    st.table(pd.DataFrame(shown, columns=["", " "]), border="horizontal", hide_index=True, hide_header=True)


def _place(fields: dict) -> str:
    return ", ".join(part for part in (fields["city"], fields["country"]) if part)


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


def _ago(today: date, day: date) -> str:
    days = (today - day).days
    return {0: "today", 1: "yesterday"}.get(days, f"{days:,} days ago")
