"""Which campaigns share which budget: as the address has it, and the fields that change it."""

import math
import time
from typing import NamedTuple

import pandas as pd
import streamlit as st

from ma.money import digits, symbol, unit
from ma.services.budget_plans import LARGEST_BUDGET, LONGEST_GAP, MOST
from ma.text import whole_number

_CAMPAIGNS, _BUDGET, _APART = "planner-campaigns", "planner-budget", "planner-apart"
# The address that the fields stand for, and when each earlier one was left.
_SEEN, _LEFT, _LATE_SECONDS = "planner-address", "planner-addresses-left", 10.0


class Choice(NamedTuple):
    """What is asked for; budget_minor is None until somebody has typed one."""

    campaigns: list[int]
    budget_minor: int | None
    days_apart: int


def draw(plannable: pd.DataFrame, currency: str) -> Choice:
    """Draw the fields (`?campaigns=3,7&budget=1200&apart=2`); other ids in the address are passed over."""
    names = {int(row.campaign_id): f"{row.name} ({row.status})" for row in plannable.itertuples(index=False)}
    _from_address(names, currency)
    chosen = st.multiselect(
        "Campaigns that share the budget",
        list(names),
        format_func=lambda one: names.get(one, ""),
        max_selections=MOST,
        placeholder=f"Choose 2 to {MOST} drafts or scheduled campaigns",
        key=_CAMPAIGNS,
        on_change=_to_address,
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        budget = st.number_input(
            f"Budget ({symbol(currency).strip()})",
            min_value=0.0,
            max_value=LARGEST_BUDGET / unit(currency),
            step=100.0,
            format=f"%.{digits(currency)}f",
            placeholder="Type an amount",
            key=_BUDGET,
            on_change=_to_address,
            width=220,
            help="For all of them together, fixed costs included.",
        )
        apart = st.number_input(
            "Days between drafts",
            min_value=0,
            max_value=LONGEST_GAP,
            step=1,
            key=_APART,
            on_change=_to_address,
            width=220,
            help="Drafts are planned as if they went out from now on, the oldest first, one every so many "
            "days. 0: all at once. The further apart, the fewer people hit the message limit or get tired. "
            "Scheduled campaigns keep their time.",
        )
    known = [one for one in chosen if one in names]
    minor = None if not budget else max(round(budget * unit(currency)), 1)
    return Choice(known, minor, int(apart or 0))


def _from_address(names: dict[int, str], currency: str) -> None:
    """The address decides when somebody comes by it, the fields from then on."""
    asked = _address()
    if _CAMPAIGNS in st.session_state and (asked == st.session_state.get(_SEEN) or _stale(asked)):
        known = [one for one in st.session_state[_CAMPAIGNS] if one in names]
        if known != st.session_state[_CAMPAIGNS]:
            st.session_state[_CAMPAIGNS] = known
        return
    ids = [whole_number(part) for part in asked[0].split(",")]
    st.session_state[_CAMPAIGNS] = list(dict.fromkeys(one for one in ids if one in names))[:MOST]
    st.session_state[_BUDGET] = _amount(asked[1], LARGEST_BUDGET / unit(currency))
    st.session_state[_APART] = min(whole_number(asked[2]) or 0, LONGEST_GAP)
    st.session_state[_SEEN] = asked


def _stale(asked: tuple[str, ...]) -> bool:
    """Whether the browser had not heard of the present address when it asked (seen with quick clicks)."""
    left_at = st.session_state.get(_LEFT, {}).get(asked)
    return left_at is not None and time.monotonic() - left_at < _LATE_SECONDS


def _address() -> tuple[str, ...]:
    return tuple(st.query_params.get(name, "") for name in ("campaigns", "budget", "apart"))


def _to_address() -> None:
    ids = [one for one in st.session_state.get(_CAMPAIGNS, []) if isinstance(one, int)]
    budget, apart = st.session_state.get(_BUDGET), st.session_state.get(_APART)
    for name, text in (
        ("campaigns", ",".join(map(str, ids))),
        ("budget", f"{budget:.10g}" if budget else ""),
        ("apart", str(apart) if apart else ""),
    ):
        if text:
            st.query_params[name] = text
        else:
            st.query_params.pop(name, None)
    st.session_state.setdefault(_LEFT, {})[st.session_state.get(_SEEN)] = time.monotonic()
    st.session_state[_SEEN] = _address()


def _amount(text: str, most: float) -> float | None:
    try:
        amount = float(text)
    except ValueError:
        return None
    return amount if math.isfinite(amount) and 0.0 < amount <= most else None
