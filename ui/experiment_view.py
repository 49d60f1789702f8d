"""One experiment: is the split as planned, what does it say, how do its arms differ, what did sending add."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import campaigns, experiment_arms, experiment_verdicts, experiments, roi
from ma.analytics import incrementality as increments
from ma.analytics.experiments import Told
from ma.charts import experiments as charts
from ma.charts import theme
from ma.errors import NotFound
from ma.money import amount
from ma.types import Channel
from ui import experiment_increment, experiment_list, picture
from ui.export import export_button
from ui.forecast_words import chance_of
from ui.links import link
from ui.session import reading, workspace
from ui.text import literal

_SPLIT = {
    experiment_arms.OK: (st.success, "check_circle"),
    experiment_arms.WARNING: (st.warning, "warning"),
    experiment_arms.ALARM: (st.error, "error"),
    experiment_arms.UNKNOWN: (st.info, "help"),
}


def show(campaign_id: int, *, as_of: datetime) -> None:
    """Draw the experiment of a campaign; an unknown one, or one without a test, says so."""
    with reading() as session:
        told = experiments.tell(session, as_of=as_of, campaign_id=campaign_id)
        if told is None:
            _missing(session, campaign_id)
            return
        attributed = roi.roi(session, as_of=as_of, campaign_ids=[campaign_id])
    held = told.test.held_out is not None
    increment = increments.of_test(told.test, told.money, attributed.iloc[0]) if held else None
    currency = workspace().currency
    _header(told)
    box, icon = _SPLIT[told.test.sample_ratio]
    split, alarm = experiment_verdicts.split(told.test), told.test.sample_ratio == experiment_arms.ALARM
    box(literal(split), icon=f":material/{icon}:")
    with st.container(border=True):
        st.markdown(f"**What it says.** {literal(told.summary['verdict'].removeprefix(split).strip())}")
        if increment and not alarm:
            st.markdown(f"**In money.** {literal(experiment_increment.in_money(increment, currency))}")
    # No large figures that nobody should believe.
    if not alarm:
        experiment_increment.cards(increment, currency) if increment else _cards(told)
    _pictures(told, currency)
    _tables(told, increment, currency)
    st.caption(
        f"As of {as_of:%d %b %Y, %H:%M} UTC · every rate is ÷ everybody assigned to the arm, whether the "
        "message reached them or not; on Results it is ÷ delivered · intervals are of 95 %: Wilson (rates), "
        "Newcombe (differences), Welch (revenue) · p two-sided, adjusted over the messages (Holm) · "
        "conversions decide, the other figures are told beside them"
    )
    link("campaigns", "Open the campaign", id=campaign_id)


def _missing(session, campaign_id: int) -> None:
    try:
        name = campaigns.campaign(session, campaign_id)["name"]
    except NotFound as error:
        st.warning(str(error), icon=":material/search_off:")
        return
    st.info(
        f"**“{literal(name)}” is no experiment**, or was not launched yet: it has one message, and nobody is "
        "held out. Give a draft a second message or a holdout before it is launched.",
        icon=":material/science:",
    )
    link("campaigns", "Open the campaign", id=campaign_id)


def _header(told: Told) -> None:
    row = told.summary
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(literal(row["name"]), anchor=False, width="content")
        colour = "gray" if row["over"] else "blue"
        st.badge(experiment_list.finding(row), icon=":material/science:", color=colour)
        st.badge(Channel(row["channel"]).label, color="gray")
        if row["source"] == "imported":
            st.badge("Imported results", icon=":material/upload_file:", color="violet")


def _cards(told: Told) -> None:
    """Of a test of messages alone: people, difference, who is likely the best, what it can see."""
    row, best = told.summary, told.variants.dropna(subset=["probability_best"])
    with st.grid(columns=4, border=True, min_column_width=190):
        _card(
            "People",
            f"{row['people']:,}",
            f"of {row['planned_people']:,} planned",
            "Assigned so far, of those of all waves.",
        )
        _card(
            "Clearest difference from A",
            f"{experiment_verdicts.points(row['difference'])} pp",
            f"{experiment_verdicts.points(row['low'])} to {experiment_verdicts.points(row['high'])}",
            "In conversions, of the message that differs most clearly. Percentage points, 95 % interval.",
        )
        top = best.loc[best["probability_best"].idxmax()] if len(best) else None
        _card(
            "Most likely the best",
            "–" if top is None else f"{top['label']}",
            None if top is None else f"chance {chance_of(top['probability_best'])}",
            "The chance that its conversion rate is the highest, given what was seen and nothing known "
            "before (Beta posterior). It is no verdict.",
        )
        _can_see(row)


def _can_see(row: pd.Series) -> None:
    reached = row["enough"]
    enough = None if pd.isna(reached) else "is large enough" if reached else "is too small"
    worth = f"{experiments.WORTH * 100:.0f} %"
    beside = None if enough is None else f"{enough} for {worth} of the rate"
    _card(
        "Could have seen",
        f"± {experiment_verdicts.points(row['detectable_effect'], sign=False)} pp",
        beside,
        "The smallest difference in conversions that a test of so many people finds in 8 of 10 cases. To "
        f"find a difference of {worth} of the rate, it needs "
        + ("an unknown number of" if pd.isna(row["needed"]) else f"{row['needed']:,.0f}")
        + " people in both arms.",
    )


def _card(label: str, value: str, beside: str | None, help: str) -> None:
    st.metric(label, value, delta=beside, delta_color="off", delta_arrow="off", help=help, height="stretch")


def _pictures(told: Told, currency: str) -> None:
    known = [name for name in experiments.FIGURES if (told.variants["figure"] == name).any()]
    figure = st.segmented_control(
        "Figure",
        known,
        format_func=charts.FIGURES.get,
        default=known[0],
        key="experiment-figure",
        bind="query-params",
        required=True,
        label_visibility="collapsed",
    )
    arms = told.variants[told.variants["figure"] == figure].dropna(subset=["value"])
    compared = told.differences[told.differences["figure"] == figure].dropna(subset=["difference"])
    money = figure == experiments.REVENUE
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.markdown(f"**{charts.FIGURES[figure]}**" + ("" if money else ", in % of the people assigned"))
        if arms.empty:
            st.caption("There is nobody in it yet.")
        else:
            picture.chart(charts.arms(arms, currency=currency), key="experiment-arms")
        export_button(
            "experiment_variants", campaign_id=int(told.summary["campaign_id"]), key="export-variants"
        )
    with right, st.container(border=True, height="stretch"):
        unit = "money per person" if money else "percentage points"
        st.markdown(f"**Difference in {charts.NOUNS[figure]}**, in {unit}")
        if compared.empty:
            st.caption("Nothing to compare: those held out are sent nothing that could be opened or clicked.")
        else:
            picture.chart(charts.differences(compared, currency=currency), key="experiment-differences")
            st.caption("Dot: the difference; whisker: its 95 % interval; dotted line: no difference.")
        export_button(
            "experiment_differences", campaign_ids=int(told.summary["campaign_id"]), key="export-differences"
        )


def _tables(told: Told, increment: dict | None, currency: str) -> None:
    names = ["Differences", "Arms", *(["What sending added"] if increment else [])]
    differences, arms, *added = st.tabs(names)
    with differences:
        st.dataframe(_differences(told, currency), hide_index=True)
        st.caption(
            "Could have seen: the smallest difference that a test of so many people finds in 8 of 10 cases. "
            f"Power and needed people: to find a difference of {experiments.WORTH * 100:.0f} % of the rate; "
            "against those held out, the one that was forecast at the launch."
        )
    with arms:
        st.dataframe(_arms(told, currency), hide_index=True)
    if increment:
        with added[0]:
            experiment_increment.table(increment, currency)


def _arms(told: Told, currency: str) -> pd.DataFrame:
    rows = []
    for arm in told.test.arms:
        mine = told.variants[told.variants["label"] == arm["label"]].set_index("figure")
        best = mine["probability_best"].get(experiments.DECIDES, float("nan"))
        row = {
            "Arm": arm["label"],
            "People": f"{arm['people']:,.0f}",
            "Planned share": theme.percent(arm["share"]),
        }
        for figure in experiments.FIGURES:
            if figure in set(told.variants["figure"]):
                row[charts.FIGURES[figure]] = (
                    _value(mine.loc[figure], currency) if figure in mine.index else "–"
                )
        rows.append(row | {"Chance to be best": chance_of(best)})
    return pd.DataFrame(rows)


def _differences(told: Told, currency: str) -> pd.DataFrame:
    rows = []
    for row in told.differences.itertuples():
        money = row.figure == experiments.REVENUE
        words = _signed(currency) if money else lambda value: f"{experiment_verdicts.points(value)} pp"
        size = amount(row.detectable_effect, currency) if money else (
            f"{experiment_verdicts.points(row.detectable_effect, sign=False)} pp"
        )  # fmt: skip
        rows.append(
            {
                "Comparison": row.comparison,
                "Figure": charts.FIGURES[row.figure],
                "Difference": words(row.difference),
                "95 % interval": _between(row.low, row.high, words),
                "Bootstrap": _between(row.resampled_low, row.resampled_high, words),
                "p": _p_value(row.p_adjusted),
                "Could have seen": f"± {size}",
                "Power": theme.percent(row.power, 0),
                "Needed people": "–" if row.needed != row.needed else f"{row.needed:,.0f}",
            }
        )
    return pd.DataFrame(rows)


def _value(row: pd.Series, currency: str) -> str:
    if row.name == experiments.REVENUE:
        value, low, high = (amount(row[name], currency) for name in ("value", "low", "high"))
    else:
        value, low, high = (theme.percent(row[name], 2) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})" if row["low"] == row["low"] else value


def _p_value(p_value: float) -> str:
    if p_value != p_value:
        return "–"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _between(low: float, high: float, words) -> str:
    return f"{words(low)} to {words(high)}" if low == low else "–"


def _signed(currency: str):
    return lambda minor: ("+" if minor > 0 else "") + amount(minor, currency)
