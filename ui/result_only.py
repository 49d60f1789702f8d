"""The group that was chosen in a chart: the other charts show it only. It stands in the address."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics.breakdown import NOT_PER_PERSON, OF_CAMPAIGNS, group_label, group_of_campaign
from ui.page import current_actor
from ui.session import reading
from ui.text import literal

_NAME = "only"
_ROUND = "results-round"


@dataclass(frozen=True)
class Only:
    """One group of one dimension, as in analytics.breakdown."""

    by: str
    value: str

    def text(self) -> str:
        """As the address has it: country~US."""
        return f"{self.by}~{self.value}"


def only(known: dict[str, str]) -> Only | None:
    """What the address narrows the charts to; `known` are the dimensions there are."""
    by, mark, value = st.query_params.get(_NAME, "").partition("~")
    return Only(by, value) if mark and by in known else None


def key(name: str) -> str:
    """The key of a chart: a new one after each choice, so that no old selection stays in the picture."""
    return f"{name}-{st.session_state.get(_ROUND, 0)}"


def picked(chart: str, place: int) -> str | None:
    """The value of the bar that was clicked in the chart with this key, by its place in the customdata."""
    points = st.session_state[chart].selection.points
    data = points[0].get("customdata") if points else None
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, list):
        return str(data[place]) if len(data) > place else None
    return None if data is None else str(data)


def choose(chart: str, by: str, place: int) -> None:
    """A click on a bar: narrow the other charts to it; a second click on it widens them again."""
    current_actor()
    value = picked(chart, place)
    if value in (None, NOT_PER_PERSON):
        return
    wanted = Only(by, value).text()
    if st.query_params.get(_NAME) == wanted:
        st.query_params.pop(_NAME, None)
    else:
        st.query_params[_NAME] = wanted
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def widen() -> None:
    """Show everybody again."""
    current_actor()
    st.query_params.pop(_NAME, None)
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def campaigns_of(campaigns: pd.DataFrame, only: Only | None) -> pd.DataFrame:
    """Those of the campaigns (an analytics.roi frame) that can have people of a group."""
    if only is None or only.by not in (*OF_CAMPAIGNS, "variant"):
        return campaigns
    if only.by == "variant":
        return campaigns[campaigns["campaign_id"].astype(str) == only.value.partition(":")[0]]
    with reading() as session:
        return campaigns[group_of_campaign(session, campaigns, only.by) == only.value]


def chip(only: Only, known: dict[str, str], campaigns: pd.DataFrame, *, as_of: datetime) -> None:
    """What the charts are narrowed to, and the way back."""
    with reading() as session:
        label = group_label(session, campaigns, only.by, only.value, as_of=as_of)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="result-only"):
        st.markdown(
            f":material/filter_alt: Only **{literal(known[only.by])}: {literal(label)}**", width="content"
        )
        st.button("Show everybody", icon=":material/close:", type="tertiary", key="widen", on_click=widen)
