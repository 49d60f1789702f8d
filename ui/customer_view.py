"""One customer's whole story on one screen."""

from datetime import date, datetime

import streamlit as st

from ma.analytics import consent as consent_data
from ma.analytics import profile as profiles
from ma.analytics.profile import Profile
from ma.charts import theme
from ma.clock import local_day
from ma.types import Actor, Channel, Permission
from ui import (
    customer_form,
    customer_merge,
    customer_notes,
    customer_overview,
    customer_privacy,
    customer_records,
    customer_tags,
    tables,
)
from ui.customer_facts import ago, place_of, shown_day
from ui.session import now, reading, workspace
from ui.text import literal

# What the address calls a tab -> its label.
TABS = {
    "overview": "Overview",
    "timeline": "Timeline",
    "purchases": "Purchases",
    "messages": "Messages",
    "notes": "Notes",
}
_ENGAGEMENT = (
    "0 to 100. Orders give up to 50 points, web visits up to 25, opens and clicks (clicks count twice) up to "
    "25: each sum s gives its share s ÷ (s + k), with k = 4 for orders and visits, 2 for opens and clicks. "
    "The last 30 days count fully, the 30 before half, the 30 before those a quarter, older ones not at all. "
    "docs/metrics.md has the formula."
)
_CLOSED = {"unsubscribed": "unsubscribed", "complained": "marked as spam", "bounced": "bounced"}


def show(actor: Actor, customer_id: int) -> None:
    """Draw the customer. Raises NotFound."""
    place, as_of = workspace(), now()
    with reading() as session:
        profile = profiles.profile(session, customer_id, as_of=as_of)
    _heading(actor, profile)
    _contact(profile)
    _consent(customer_id, profile, as_of, place.timezone)
    customer_tags.show(actor, customer_id, as_of)
    _cards(profile, place.currency, place.timezone, local_day(as_of, place.timezone))
    _tabs(actor, profile, as_of, place)
    if place.is_demo:
        st.caption(
            "Demo data: name, contact, consent, visits, tags and notes are invented; "
            "purchases and demographics are real."
        )


def _heading(actor: Actor, profile: Profile) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header(literal(profile.name), anchor=False, width="content")
        st.space("stretch")
        may_edit = actor.may(Permission.EDIT_CUSTOMERS)
        if may_edit and st.button("Edit", icon=":material/edit:", key="edit-customer"):
            customer_form.edit(profile)
        customer_merge.menu(actor, profile)
        customer_privacy.menu(actor, profile)
        if may_edit and st.button("Delete", icon=":material/delete:", type="tertiary", key="delete-customer"):
            customer_form.delete(profile)


def _contact(profile: Profile) -> None:
    fields = profile.fields
    with st.container(horizontal=True, key="customer-contact"):
        for icon, value in (
            ("mail", fields["email"]),
            ("call", fields["phone"]),
            ("location_on", place_of(fields)),
            ("tag", fields["external_id"]),
        ):
            if value:
                st.markdown(f":gray[:material/{icon}:] {literal(value)}", width="content")


def _consent(customer_id: int, profile: Profile, as_of: datetime, timezone: str) -> None:
    """A badge per channel with since when and from where, and the whole history behind a button."""
    with reading() as session:
        history = consent_data.consent_history(session, customer_id=customer_id, as_of=as_of)
        closed = consent_data.closed_channels(session, customer_id=customer_id, as_of=as_of)
    latest = history.drop_duplicates("channel").set_index("channel")
    closed = closed.set_index("channel")
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="customer-consent"):
        for channel in Channel:
            allowed = profile.fields[f"consent_{channel}"]
            since = None
            if channel in latest.index:
                row = latest.loc[channel]
                since = f"Since {_shown(row.changed_at, timezone)}. Source: {literal(row.source)}."
            if allowed and channel in closed.index:
                row = closed.loc[channel]
                st.badge(
                    f"{channel.label}: {_CLOSED[row.why]}",
                    icon=":material/notifications_off:",
                    color="orange",
                    help=f"They allow it, but {_CLOSED[row.why]} on {_shown(row.closed_at, timezone)} "
                    f"({literal(row.campaign)}). Campaigns leave them out.",
                )
                continue
            st.badge(
                f"{channel.label}: {'allowed' if allowed else 'not allowed'}",
                icon=":material/check:" if allowed else ":material/block:",
                color="green" if allowed else "gray",
                help=since or "Never recorded as allowed.",
            )
        with st.popover("Consent history", type="tertiary", icon=":material/history:", key="consent-history"):
            _history(history, closed, timezone)


def _history(history, closed, timezone: str) -> None:
    labels = {channel.value: channel.label for channel in Channel}
    lines = [
        (row.changed_at, f"{labels[row.channel]} {'allowed' if row.allowed else 'no longer allowed'}",
         f"{row.source}, {row.actor}")
        for row in history.itertuples()
    ] + [
        (row.closed_at, f"{labels[row.Index]}: {_CLOSED[row.why]}", row.campaign)
        for row in closed.itertuples()
    ]  # fmt: skip
    if not lines:
        st.caption("They never allowed a channel, as far as is known.")
    for at, what, detail in sorted(lines, key=lambda line: line[0], reverse=True):
        st.markdown(f"**{literal(what)}**  \n:gray[{literal(f'{_shown(at, timezone)} · {detail}')}]")


def _shown(at: datetime, timezone: str) -> str:
    return shown_day(local_day(at, timezone))


def _cards(profile: Profile, currency: str, timezone: str, today: date) -> None:
    def seen(word: str, at: datetime | None) -> str:
        return "never" if at is None else f"{word} {ago(today, local_day(at, timezone))}"

    recent = profile.recent
    quiet = {"delta_color": "off", "delta_arrow": "off", "height": "stretch"}
    devices = f" Devices: {', '.join(profile.devices)}." if profile.devices else ""
    with st.grid(columns=4, border=True, min_column_width=150):
        st.metric(
            "Lifetime value",
            literal(theme.compact_money(profile.lifetime_value_minor, currency)),
            help="To date: everything they bought, refunds taken off, "
            + literal(tables.amount(profile.lifetime_value_minor, currency))
            + ". History, not a prediction.",
            delta=f"{literal(tables.amount(profile.average_order_minor, currency))} per order",
            **quiet,
        )
        st.metric(
            "Orders",
            f"{profile.orders:,}",
            help="Sales. Refunds: " + (f"{profile.refunds:,}." if profile.refunds else "none."),
            delta=seen("last", profile.last_order_at),
            **quiet,
        )
        st.metric(
            "Web visits",
            f"{profile.visits:,}",
            help=f"Pages they looked at.{literal(devices)}",
            delta=seen("seen", profile.last_visit_at),
            **quiet,
        )
        st.metric(
            "Engagement score",
            "–" if profile.engagement is None else f"{profile.engagement:.0f} of 100",
            help=f"{_ENGAGEMENT} In the last 90 days: {recent['orders']} orders, "
            f"{recent['visits']} web visits, {recent['opened']} opens, {recent['clicked']} clicks.",
            delta=f"{sum(recent.values()):,} in 90 days",
            **quiet,
        )


def _tabs(actor: Actor, profile: Profile, as_of: datetime, place) -> None:
    """Only the open one is read and drawn."""
    names = dict(zip(TABS.values(), TABS, strict=True))
    chosen = TABS.get(st.query_params.get("tab", ""), TABS["overview"])

    def remember() -> None:
        name = names.get(st.session_state.get("customer-tab", ""), "overview")
        if name == "overview":
            st.query_params.pop("tab", None)
        else:
            st.query_params["tab"] = name

    shown = st.tabs(list(TABS.values()), default=chosen, key="customer-tab", on_change=remember)
    draw = {
        "overview": lambda: customer_overview.show(actor, profile, as_of, place),
        "timeline": lambda: customer_records.timeline(profile.customer_id, as_of, place.timezone),
        "purchases": lambda: customer_records.purchases(profile.customer_id, as_of, place.timezone),
        "messages": lambda: customer_records.messages(profile.customer_id, as_of, place.timezone),
        "notes": lambda: customer_notes.show(actor, profile.customer_id, as_of, place.timezone),
    }
    for name, tab in zip(TABS, shown, strict=True):
        if tab.open:
            with tab:
                draw[name]()
