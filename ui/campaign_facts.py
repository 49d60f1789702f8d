"""A campaign's plan as it is stored, for reading: to whom, what, when, at what cost."""

import streamlit as st

from ma.analytics import segments as segment_list
from ma.analytics.workspace import WorkspaceInfo
from ma.charts import theme
from ma.money import amount
from ma.services.campaign_variants import messages
from ui.campaign_messages import EFFECTS
from ui.session import reading


def draw(campaign: dict, place: WorkspaceInfo) -> None:
    """A row for each fact; a message for each variant."""
    currency = place.currency
    with st.container(border=True):
        _row("Segment", campaign["segment"] or "–")
        if campaign["excluded"]:
            _row("Left out", ", ".join(_names(campaign["excluded"])))
        variants = messages(campaign)
        for variant in variants:
            several = len(variants) > 1
            about = f" {variant['name']} ({theme.percent(variant['share'])})" if several else ""
            if variant["subject"]:
                _row(f"Subject{about}", variant["subject"])
            _row(f"Message{about}", variant["body"] or "–")
            if variant["effects"]:
                _row(f"Assumed effects{about}", _effects(variant["effects"]))
        _row("Waves", "Everybody at once" if campaign["waves"] == 1 else f"{campaign['waves']}, one a day")
        if campaign["quiet_from"] is not None:
            begin, end = campaign["quiet_from"], campaign["quiet_until"]
            _row("Quiet hours", f"{clock(begin)}–{clock(end)} ({campaign['timezone'] or place.timezone})")
        elif campaign["timezone"]:
            _row("Time zone", campaign["timezone"])
        _row("Cost per thousand", amount(campaign["cost_per_thousand_minor"], currency))
        _row("Fixed cost", amount(campaign["fixed_cost_minor"], currency))
        if campaign["budget_minor"] is not None:
            _row("Budget", amount(campaign["budget_minor"], currency))
        _row("Holdout", theme.percent(campaign["holdout_share"]))
        _row("Conversion window", f"{campaign['conversion_window_days']} days")


def clock(minutes: int) -> str:
    """Minutes after midnight as a time of day."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _row(label: str, value: str) -> None:
    name, text = st.columns([1, 4])
    name.caption(label)
    text.text(value)


def _names(segment_ids: list[int]) -> list[str]:
    with reading() as session:
        return [segment_list.segment(session, segment_id).name for segment_id in segment_ids]


def _effects(effects: dict) -> str:
    known = EFFECTS | {"delivered": "Deliveries", "complained": "Complaints"}
    return ", ".join(f"{known.get(step, step)} {effect:+.0%}" for step, effect in effects.items())
