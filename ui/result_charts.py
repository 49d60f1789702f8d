"""Funnel and return of the campaigns on the screen; bars lead to the people, or narrow other charts."""

import pandas as pd
import streamlit as st

from ma.analytics import funnel as funnels
from ma.analytics.breakdown import OF_CAMPAIGNS
from ma.analytics.rates import reached
from ma.charts import funnel as charts
from ma.charts import roi as roi_charts
from ma.charts import theme
from ma.charts.breakdown import Benchmark
from ma.settings import ROOT
from ui import picture, result_only
from ui.export import export_button
from ui.links import link
from ui.page import current_actor
from ui.result_only import Only

# What people ask for most: reached one step, and not the next.
_NEXT = {
    "delivered": [("opened", "Received, did not open")],
    "opened": [("clicked", "Opened, did not click"), ("converted", "Opened, did not buy")],
    "clicked": [("converted", "Clicked, did not buy")],
    "sent": [("converted", "Sent, did not buy")],
}
_GO = "results-people"
_STEPS = {label: step for step, label in theme.STEP_LABELS.items()}


def funnel(shown: pd.DataFrame, only: Only | None, published: pd.DataFrame, export: dict) -> None:
    """The funnel of campaign totals; several channels stand side by side, as they see different steps."""
    missing = funnels.unknown_steps(shown)
    if missing and len(set(shown["channel"])) > 1:
        st.markdown("**Funnel by channel** :gray[share of the people sent who reached each step]")
        parts = shown.groupby("channel", sort=False)
        picture.chart(
            charts.by_channel({channel: funnels.of_totals(part) for channel, part in parts}),
            key="funnel-by-channel",
        )
        st.caption("No bar: the channel cannot see the step. Unknown is not zero.")
    else:
        st.markdown("**Funnel** :gray[people who reached each step, and their share of the step before]")
        key = result_only.key("funnel")
        picture.chart(
            charts.funnel(
                funnels.of_totals(shown),
                immature=shown["immature"].sum(),
                benchmarks=_expected(shown, published),
            ),
            key=key,
            on_select=lambda: _ask(key),
            selection_mode="points",
        )
        if missing:
            words = ", ".join(
                f"{theme.STEP_LABELS[step].lower()} ({n} of {len(shown)})" for step, n in missing.items()
            )
            st.caption(f"Left out, since some campaigns cannot see it: {words}. Unknown is not zero.")
    organic = int(shown["organic"].fillna(0).sum())
    if organic:
        st.caption(f"Beside the funnel: {organic:,} people bought without the message leading them there.")
    _people(shown, only)
    export_button("group_funnel" if only else "funnel", key="export-funnel", **export)


def returns(shown: pd.DataFrame, only: Only | None, currency: str, narrow: dict) -> None:
    """ROI by campaign, or what they brought where no cost is known; a bar narrows the other charts.

    `narrow` are the field and value of the group of people that it is about, if any.
    """
    costed = int(shown["cost_minor"].notna().sum())
    chosen = int(only.value) if only and only.by == "campaign" and only.value.isdigit() else None
    key = result_only.key("roi")
    if shown["roi"].notna().any():
        st.markdown("**Return on investment** by campaign :gray[(revenue − cost) ÷ cost]")
        figure, place = roi_charts.roi(shown, currency=currency, chosen=chosen), 5
    else:
        st.markdown(f"**Attributed revenue** by campaign :gray[in {currency}]")
        figure, place = roi_charts.revenue(shown, currency=currency, chosen=chosen), 3
    picture.chart(
        figure,
        key=key,
        on_select=lambda: result_only.choose(key, "campaign", place),
        selection_mode="points",
    )
    if unknown := len(shown) - costed:
        st.caption(f"{unknown} of {len(shown)} campaigns have no known cost: no ROI can be said for them.")
    ids = ",".join(map(str, shown["campaign_id"]))
    if narrow:
        export_button("breakdown", by="campaign", campaign_ids=ids, key="export-roi", **narrow)
    else:
        export_button("roi", campaign_ids=ids, key="export-roi")


def still_open(shown: pd.DataFrame) -> None:
    """How many people may convert yet, and until when the last of them."""
    open_yet = shown[shown["immature"] > 0]
    share = shown["immature"].sum() / shown["sent"].sum()
    campaigns = "1 campaign" if len(open_yet) == 1 else f"{len(open_yet)} campaigns"
    st.caption(
        f":material/hourglass_top: So far: {theme.percent(share)} of the people sent "
        f"({shown['immature'].sum():,.0f}, in {campaigns}) are still inside their conversion window and may "
        "buy yet. That part is hatched."
    )


def go_to_people(campaign_ids: list[int], only: Only | None) -> None:
    """Open the list of people, where a bar of the funnel was chosen."""
    if step := st.session_state.pop(_GO, None):
        params = {name: str(v) for name, v in people_address(campaign_ids, only, step=step).items()}
        st.switch_page(str(ROOT / "pages" / "recipients.py"), query_params=params)


def people_address(campaign_ids: list[int], only: Only | None, **more: str) -> dict[str, object]:
    """The parameters of the list of people of these campaigns, of the chosen group."""
    address: dict[str, object] = {"campaigns": ",".join(map(str, campaign_ids))}
    if only and only.by not in OF_CAMPAIGNS:
        address |= {"field": only.by, "value": only.value}
    return address | more


def _ask(chart: str) -> None:
    current_actor()
    points = st.session_state[chart].selection.points
    if points and (step := _STEPS.get(str(points[0].get("y")))):
        st.session_state[_GO] = step


def _people(shown: pd.DataFrame, only: Only | None) -> None:
    """One click from the funnel to those who stopped at a step."""
    seen = [step for step in theme.STEP_LABELS if shown[step].notna().any()]
    ids = shown["campaign_id"].tolist()
    asked = [(s, n, words) for s in seen for n, words in _NEXT.get(s, []) if n in seen]
    if len(asked) > 1:
        asked = [one for one in asked if one[0] != "sent"]
    with st.container(horizontal=True, gap="small", key="result-people"):
        for step, not_step, words in asked:
            params = people_address(ids, only, step=step, **{"not": not_step})
            link("recipients", words, icon=":material/group:", **params)


def _expected(shown: pd.DataFrame, published: pd.DataFrame) -> dict[str, Benchmark]:
    """How many people would be at a step at the published rates of the one channel there is."""
    if len(set(shown["channel"])) != 1:
        return {}
    whole = reached(shown).sum()
    steps = {"open_rate": "opened", "click_rate": "clicked", "conversion_rate": "converted"}
    mine = published[published["channel"] == shown["channel"].iloc[0]]
    return {
        steps[row.rate]: Benchmark(
            row.value * whole, f"{theme.percent(row.value, 2)} of {row.denominator}: {row.source}"
        )
        for row in mine.itertuples()
    }
