"""Results by one dimension: what by, which figure, the chart, and the table with every figure."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics.breakdown import DIMENSIONS, NOT_PER_PERSON
from ma.analytics.profile_groups import IN_ORDER
from ma.charts import breakdown as charts
from ma.charts import theme
from ma.charts.breakdown import MEASURES, MOST, Benchmark
from ma.text import in_sentence
from ui import picture, result_counts, result_only, tables
from ui.export import export_button
from ui.links import link
from ui.result_charts import people_address
from ui.result_only import Only
from ui.text import literal


def draw(
    campaigns: pd.DataFrame,
    only: Only | None,
    known: dict[str, str],
    published: pd.DataFrame,
    *,
    as_of: datetime,
    currency: str,
) -> None:
    """Draw the breakdown of these campaigns; a group that is chosen in it narrows the other charts."""
    ids = ",".join(map(str, campaigns["campaign_id"]))
    with st.container(horizontal=True, vertical_alignment="bottom", key="result-breakdown"):
        by = _one_of("Results by", "by", known)
        measure = _one_of("Figure", "measure", {name: title for name, (title, _) in MEASURES.items()})
        st.space("stretch")
        export_button("breakdown", by=by, key="export-breakdown", campaign_ids=ids, **_narrow(only, by))
    mine = only if only and only.by != by else None
    counted = result_counts.parts(campaigns, as_of=as_of, by=by, only=mine)
    frame, when = counted.value, counted.as_of
    chosen = only.value if only and only.by == by else None
    title, _ = MEASURES[measure]
    st.markdown(
        f"**{title} by {literal(in_sentence(known[by]))}** :gray[choose a row to narrow the other charts]"
    )
    key = result_only.key("breakdown")
    figure = charts.breakdown(
        sorted_for(frame, measure, by),
        measure=measure,
        currency=currency,
        colours=theme.CHANNEL_COLOURS if by == "channel" else None,
        benchmarks=_benchmarks(frame, campaigns, by, measure, published),
        chosen=chosen,
    )
    picture.chart(
        figure,
        key=key,
        on_select=lambda: result_only.choose(key, by, 0),
        selection_mode="points",
    )
    if chosen is not None and chosen != NOT_PER_PERSON:
        _drill(frame, campaigns, by, chosen)
    _notes(frame, campaigns, by, measure, published)
    _table(frame, known[by], currency)
    st.caption(_source(when, as_of, by, known))


def _one_of(label: str, name: str, named: dict[str, str]) -> str:
    """One of these; the address has it under `name`. (A bound box would write the label there.)"""
    options = list(named)
    asked = st.query_params.get(name, "")
    chosen = st.selectbox(
        label,
        options,
        index=options.index(asked) if asked in named else 0,
        format_func=named.get,
        key=f"result-{name}",
        width=230,
    )
    if chosen == options[0]:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = chosen
    return chosen


def sorted_for(frame: pd.DataFrame, measure: str, by: str) -> pd.DataFrame:
    """The groups as the chart shows them: the highest first, unless they have an order of their own."""
    ranged = frame["value"].str.contains(r"\.\.|^\d{4}(?:-\d\d)?$", regex=True).any()
    if ranged or by in IN_ORDER:
        return frame
    last = frame["value"].isin(["", "*", NOT_PER_PERSON])
    order = frame.assign(_last=last, _known=frame[measure].isna(), _value=-frame[measure].astype(float))
    order = order.sort_values(["_last", "_known", "_value"], kind="stable", ignore_index=True)
    return order[frame.columns]


def _narrow(only: Only | None, by: str) -> dict[str, str]:
    return {"field": only.by, "value": only.value} if only and only.by != by else {}


def _drill(frame: pd.DataFrame, campaigns: pd.DataFrame, by: str, chosen: str) -> None:
    """From the chosen group to its people."""
    group = frame[frame["value"] == chosen]
    if group.empty:
        return
    mine = Only(by, chosen)
    ids = result_only.campaigns_of(campaigns, mine)["campaign_id"].tolist()
    label = literal(group["label"].iloc[0])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{label}**", width="content")
        for step, words in (("sent", "Everybody sent it"), ("converted", "Who bought")):
            link("recipients", words, icon=":material/group:", **people_address(ids, mine, step=step))


def _benchmarks(
    frame: pd.DataFrame, campaigns: pd.DataFrame, by: str, measure: str, published: pd.DataFrame
) -> dict[str, Benchmark]:
    """The published rate of each row's channel, where all its campaigns have the same one."""
    rates = published[published["rate"] == measure].set_index("channel")
    if by == "channel":
        channels = {value: value for value in frame["value"]}
    elif by == "campaign":
        ids = campaigns["campaign_id"].astype(str)
        channels = dict(zip(ids, campaigns["channel"], strict=True))
    elif len(set(campaigns["channel"])) == 1:
        channels = dict.fromkeys(frame["value"], campaigns["channel"].iloc[0])
    else:
        channels = {}
    return {
        value: Benchmark(rates.loc[channel, "value"], rates.loc[channel, "source"])
        for value, channel in channels.items()
        if channel in rates.index
    }


def _notes(
    frame: pd.DataFrame, campaigns: pd.DataFrame, by: str, measure: str, published: pd.DataFrame
) -> None:
    """What one has to know to read the chart: cut rows, open windows, benchmarks and their source."""
    if len(frame) > MOST:
        st.caption(f"The chart shows {MOST} of {len(frame)} groups; the table has them all.")
    if frame["immature"].sum() > 0:
        mark = "hollow dots" if MEASURES[measure][1] == "rate" else "hatched bars"
        st.caption(f"So far: people of these groups are still inside their conversion window ({mark}).")
    if measure == "roi" and frame["roi"].isna().any() and campaigns["cost_minor"].isna().any():
        st.caption(
            "No ROI where one campaign of a group has no known cost. Choose campaigns whose cost is known."
        )
    if MEASURES[measure][1] != "rate":
        return
    rates = published[published["rate"] == measure]
    drawn = _benchmarks(frame, campaigns, by, measure, published)
    if not drawn:
        st.caption("Benchmarks are published by channel. Choose one channel to see its line.")
        return
    said = [
        f"{theme.CHANNEL_LABELS[row.channel]} {theme.percent(row.value, 2)} of {row.denominator} "
        f"({literal(row.source)})"
        for row in rates.itertuples()
        if row.channel in set(campaigns["channel"])
    ]
    st.caption(f"Dotted lines: published rates, other senders and years. {' · '.join(said)}.")


def _table(frame: pd.DataFrame, title: str, currency: str) -> None:
    money = ["revenue_minor", "cost_minor", "profit_minor", "revenue_per_recipient_minor"]
    shown = tables.major(frame, money, currency=currency)
    shown = shown.assign(
        interval=[
            None if row.conversion_rate != row.conversion_rate else _interval(row)
            for row in frame.itertuples()
        ]
    )
    st.dataframe(
        shown[
            [
                "label", "campaigns", "sent", "open_rate", "click_rate", "converted", "conversion_rate",
                "interval", "immature_share", "revenue", "cost", "profit", "roi", "revenue_per_recipient",
            ]
        ],
        hide_index=True,
        placeholder="–",
        column_config={
            "label": st.column_config.TextColumn(title, pinned=True),
            "campaigns": tables.count("Campaigns"),
            "sent": tables.count("Sent"),
            "open_rate": tables.rate("Open rate"),
            "click_rate": tables.rate("Click rate"),
            "converted": tables.count("Converted"),
            "conversion_rate": tables.rate("Conversion rate"),
            "interval": st.column_config.TextColumn("95 % interval", help="Of the conversion rate (Wilson)."),
            "immature_share": tables.rate(
                "Still open", help="People still inside their conversion window ÷ sent: they may buy yet."
            ),
            "revenue": tables.money("Revenue", currency),
            "cost": tables.money("Cost", currency),
            "profit": tables.money("Profit", currency),
            "roi": tables.rate("ROI"),
            "revenue_per_recipient": tables.money("Per recipient", currency),
        },
    )  # fmt: skip


def _interval(row) -> str:
    return f"{row.conversion_rate_low * 100:.1f}–{row.conversion_rate_high * 100:.1f} %"


def _source(when: datetime, as_of: datetime, by: str, known: dict[str, str]) -> str:
    words = [f"As of {when:%d %b %Y, %H:%M} UTC"]
    if when != as_of:
        words[0] += ", counted a while ago"
    words.append("rates are people ÷ delivered (÷ sent where a channel cannot see delivery), pooled")
    if by not in DIMENSIONS:
        words.append(
            f"{literal(in_sentence(known[by]))} is that of today, or the last one known of who was deleted"
        )
        words.append("a campaign's cost is shared by people sent")
    words.append("an empty cell is unknown, not zero")
    return " · ".join(words) + "."
