"""The parts of a campaign's form beside its messages: audience, delivery, cost and test."""

from datetime import time
from zoneinfo import available_timezones

import pandas as pd
import streamlit as st

from ma.analytics.sendings import most_people
from ma.money import digits, symbol, unit
from ma.services.campaign_fields import LONGEST_WINDOW_DAYS, MOST_WAVES
from ma.types import Channel
from ui.campaign_widgets import Form

# Within this many days most responses have come; post takes longer.
USUAL_WINDOW = {Channel.EMAIL: 7, Channel.SMS: 7, Channel.PUSH: 7, Channel.DIRECT_MAIL: 30, Channel.ADS: 7}
# What a thousand costs where nobody has said otherwise: a start, to be replaced by the real price.
USUAL_COST = {
    Channel.EMAIL: 1.0,
    Channel.SMS: 45.0,
    Channel.PUSH: 0.5,
    Channel.DIRECT_MAIL: 650.0,
    Channel.ADS: 8.0,
}
_EVENING, _MORNING = 21 * 60, 8 * 60


def audience(form: Form, segments: pd.DataFrame) -> dict:
    """Who it goes to and who is left out, from the frame of all segments."""
    names = {
        int(row.segment_id): f"{row.name} ({_people(row.size)})"
        for row in segments[["segment_id", "name", "size"]].itertuples(index=False)
    }
    ids = list(names)
    current = form.saved("segment_id", None)
    left, right = st.columns(2)
    with left:
        segment_id = st.selectbox(
            "Segment",
            ids,
            index=ids.index(current) if current in ids else None,
            format_func=names.get,
            placeholder="Who is it for?",
            key=form.name("segment_id"),
        )
        form.place("segment_id")
    with right:
        excluded = st.multiselect(
            "Leave out",
            ids,
            default=[one for one in form.saved("excluded", []) if one in names],
            format_func=names.get,
            placeholder="Nobody",
            help="Who is in one of these segments is not sent it.",
            key=form.name("excluded"),
        )
        form.place("excluded")
    return {"segment_id": segment_id, "excluded": sorted(excluded)}


def delivery(form: Form, timezone: str) -> dict:
    """When it goes out; `timezone` is the workspace's."""
    zones = [None, *sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")]
    current = form.saved("timezone", None)
    left, right = st.columns(2)
    with left:
        waves = st.number_input(
            "Waves (days)",
            min_value=1,
            max_value=MOST_WAVES,
            value=form.saved("waves", 1),
            help="Everybody at once, or an equal part of the people a day; between them it can be paused.",
            key=form.name("waves"),
        )
        st.caption("Everybody at once." if waves == 1 else f"One {_part(waves)} of the people a day.")
        form.place("waves")
    with right:
        zone = st.selectbox(
            "Time zone",
            zones if current in zones else [*zones, current],
            index=zones.index(current) if current in zones else len(zones),
            format_func=lambda name: name or f"The workspace's ({timezone})",
            help="Of its schedule and its quiet hours.",
            key=form.name("timezone"),
        )
        form.place("timezone")
    quiet = st.toggle(
        "Quiet hours",
        value=form.saved("quiet_from", None) is not None,
        help="What falls due in them goes out when they end.",
        key=form.name("quiet"),
    )
    begin = end = None
    if quiet:
        left, right = st.columns(2)
        begin = _minute(left, "From", form.saved("quiet_from", None), _EVENING, form.name("quiet_from"))
        end = _minute(right, "Until", form.saved("quiet_until", None), _MORNING, form.name("quiet_until"))
        st.caption(f"Nothing goes out between them, in the time zone {zone or timezone}.")
    form.place("quiet_from")
    return {"waves": int(waves), "timezone": zone, "quiet_from": begin, "quiet_until": end}


def cost_and_test(form: Form, channel: Channel) -> dict:
    """What it costs, how much it may cost, and how its effect is measured."""
    first, second, third = st.columns(3)
    with first:
        each = _money(
            form,
            "cost_per_thousand_minor",
            "Cost per thousand",
            USUAL_COST[channel],
            help="Leave it empty where it is unknown: ROI is then unknown too.",
        )
    with second:
        fixed = _money(
            form,
            "fixed_cost_minor",
            "Fixed cost",
            0.0,
            help="What it costs however many it is sent to: design, agency, discount budget.",
        )
    with third:
        budget = _money(
            form,
            "budget_minor",
            "Budget",
            None,
            empty="No limit",
            help="Those it does not pay for are left out by lot. Empty: no limit.",
        )
        money = {"cost_per_thousand_minor": each, "fixed_cost_minor": fixed, "budget_minor": budget}
        if (most := most_people(money)) is not None and most > 0:
            st.caption(f"Pays for {most:,} people.")
        elif budget is not None and each == 0:
            st.caption("A message costs nothing: the budget limits nobody.")
    left, right = st.columns(2)
    with left:
        holdout = st.number_input(
            "Holdout (%)",
            min_value=0.0,
            max_value=50.0,
            value=round(form.saved("holdout_share", 0.0) * 100, 4),
            step=1.0,
            format="%.1f",
            help="This share is not sent to, so that what the campaign caused can be told from what "
            "would have happened anyway.",
            key=form.name("holdout_share"),
        )
        form.place("holdout_share")
    with right:
        name = form.name("conversion_window_days")
        # Not as the widget's own default: the channel may change it.
        st.session_state.setdefault(name, form.saved("conversion_window_days", USUAL_WINDOW[channel]))
        window = st.number_input(
            "Conversion window (days)",
            min_value=1,
            max_value=LONGEST_WINDOW_DAYS,
            help="A purchase within so many days after sending counts for this campaign.",
            key=name,
        )
        form.place("conversion_window_days")
    return {
        **money,
        "holdout_share": round((holdout or 0.0) / 100, 6),
        "conversion_window_days": int(window),
    }


def follow_channel(form: Form, before: Channel, now: Channel) -> None:
    """Give a new campaign the usual cost and window of another channel, where nobody has typed others."""
    for field, usual in (("cost_per_thousand_minor", USUAL_COST), ("conversion_window_days", USUAL_WINDOW)):
        if st.session_state.get(form.name(field)) == usual[before]:
            st.session_state[form.name(field)] = usual[now]


def _money(
    form: Form, field: str, label: str, usual: float | None, *, help: str, empty: str = "Unknown"
) -> int | None:
    whole = unit(form.currency)
    minor = form.saved(field, None if usual is None else usual * whole)
    name = form.name(field)
    st.session_state.setdefault(name, None if minor is None else minor / whole)
    value = st.number_input(
        f"{label} ({symbol(form.currency).strip()})",
        min_value=0.0,
        value=None,
        step=1.0,
        format=f"%.{digits(form.currency)}f",
        placeholder=empty,
        help=help,
        key=name,
    )
    form.place(field)
    return None if value is None else round(value * whole)


def _minute(place, label: str, saved: int | None, usual: int, key: str) -> int | None:
    hour, minute = divmod(usual if saved is None else saved, 60)
    chosen = place.time_input(label, time(hour, minute), key=key, persist_state="page")
    return None if chosen is None else chosen.hour * 60 + chosen.minute


def _people(size: object) -> str:
    if pd.isna(size):
        return "not counted yet"
    return "1 person" if size == 1 else f"{int(size):,} people"


def _part(waves: float) -> str:
    names = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 10: "tenth"}
    return names.get(int(waves), f"part in {int(waves)}")
