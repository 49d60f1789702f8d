"""Two to six segments beside each other: how they overlap, how their people differ, and a new one of them."""

from datetime import datetime

import streamlit as st
from pandas import DataFrame

from ma.analytics import comparison as analytics
from ma.analytics import segments
from ma.analytics.comparison import Comparison
from ma.charts import segments as charts
from ma.charts import theme
from ma.errors import Exposed
from ma.money import amount
from ma.text import whole_number
from ma.types import Actor
from ui import picture, segment_combine
from ui.export import export_button
from ui.session import now, reading, workspace
from ui.text import literal

_MONEY = ("spend", "average_order")


def draw(actor: Actor) -> None:
    """Draw the comparison of the segments that the address names (`?compare=3,7`)."""
    as_of = now()
    with reading() as session:
        frame = segments.segments(session, as_of=as_of)
    names = dict(zip(frame["segment_id"], frame["name"], strict=True))
    chosen = _choice(names)
    if len(names) < analytics.FEWEST:
        st.info("There are not two segments yet. Create another one to compare them.", icon=":material/info:")
        return
    if len(chosen) < analytics.FEWEST:
        st.info(
            "Choose two to six segments: you see how many people they share, how their people differ from "
            "everybody else, and can make a new segment of them.",
            icon=":material/join:",
        )
        return
    try:
        found = _kept(chosen, frame, as_of)
    except Exposed as error:
        st.error(literal(error), icon=":material/error:")
        return
    _warn(frame[frame["segment_id"].isin(chosen)])
    _overlap(found)
    _pairs(found, chosen)
    _differences(found, chosen)
    segment_combine.draw(actor, {one: names[one] for one in chosen})


def _kept(chosen: list[int], frame: DataFrame, as_of: datetime) -> Comparison:
    """What was worked out for these segments in this minute already, or now."""
    refreshed = frame.set_index("segment_id")["refreshed_at"].loc[chosen]
    key = (tuple(chosen), tuple(map(str, refreshed)), as_of.replace(second=0, microsecond=0))
    kept = st.session_state.get("comparison")
    if kept is None or kept[0] != key:
        with st.spinner("Comparing their people …"), reading() as session:
            kept = key, analytics.compare(session, chosen, as_of=as_of)
        st.session_state["comparison"] = kept
    return kept[1]


def _choice(names: dict[int, str]) -> list[int]:
    """The segments that the address names, and the field that changes it."""
    asked = [whole_number(part) for part in st.query_params.get("compare", "").split(",")]
    given = list(dict.fromkeys(one for one in asked if one in names))[: analytics.MOST]
    if "compare-choice" not in st.session_state or st.session_state.get("compare-address") != given:
        st.session_state["compare-choice"] = given
        st.session_state["compare-address"] = given

    def changed() -> None:
        ids = [one for one in st.session_state["compare-choice"] if isinstance(one, int)]
        st.query_params["compare"] = ",".join(map(str, ids))
        st.session_state["compare-address"] = ids

    st.multiselect(
        "Segments",
        list(names),
        format_func=lambda one: names.get(one, ""),
        max_selections=analytics.MOST,
        placeholder="Choose two to six segments",
        key="compare-choice",
        on_change=changed,
    )
    return [one for one in st.session_state["compare-choice"] if one in names]


def _warn(chosen) -> None:
    never = [literal(name) for name in chosen[chosen["refreshed_at"].isna()]["name"]]
    if never:
        st.warning(
            f"Nobody is in {', '.join(never)} before the first refresh. Open it and refresh it.",
            icon=":material/update:",
        )
    stale = chosen[chosen["stale"] & chosen["refreshed_at"].notna()]
    if len(stale):
        words = ", ".join(literal(name) for name in stale["name"])
        st.caption(f":material/update: Changed since the last refresh, whose people are shown: {words}.")


def _overlap(found: Comparison) -> None:
    total = int(found.regions["people"].sum())
    ids = found.sizes["segment_id"].tolist()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**How they overlap** :gray[{total:,} customers are in at least one]")
        st.space("stretch")
        export_button("segment_regions", segment_ids=ids)
    if not total:
        st.caption("Nobody is in any of them.")
        return
    picture.chart(charts.overlap(found.regions, found.sizes), key="compare-overlap", file="segment-overlap")
    more = len(found.regions) - charts.MOST_REGIONS
    rest = f" {more:,} smaller combinations are in the export." if more > 0 else ""
    st.caption(
        "Each bar counts the people who are in exactly the segments with a dot under it, so everybody is in "
        f"one bar. Members at the last refresh, without customers deleted since.{rest}"
    )


def _pairs(found: Comparison, ids: list[int]) -> None:
    sizes = found.sizes.set_index("segment_id")
    cells = found.pairs.set_index(["first_id", "second_id"])
    rows = []
    for first in ids:
        row = {"segment": sizes.loc[first, "segment"], "people": int(sizes.loc[first, "people"])}
        for second in ids:
            row[f"in {second}"] = "–" if first == second else _pair(cells.loc[(first, second)])
        rows.append(row)
    columns = {f"in {one}": _cut(sizes.loc[one, "segment"]) for one in ids}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**What each two share** :gray[people in both, of the row's segment, likeness]")
        st.space("stretch")
        export_button("segment_pairs", segment_ids=ids)
    st.dataframe(
        rows,
        hide_index=True,
        column_config={
            "segment": st.column_config.TextColumn("Segment", pinned=True, width="medium"),
            "people": st.column_config.NumberColumn("Customers", format="%,d", width="small"),
        }
        | {name: st.column_config.TextColumn(f"also in {label}") for name, label in columns.items()},
    )
    st.caption(
        "Likeness (Jaccard): people in both ÷ people in at least one of the two; 100 % for the same people."
    )


def _pair(cell) -> str:
    share, likeness = theme.percent(cell["share_of_first"]), theme.percent(cell["jaccard"])
    return f"{cell['both']:,} · {share} · likeness {likeness}"


def _cut(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"


def _differences(found: Comparison, ids: list[int]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            "**How their people differ** :gray[in standard deviations, from all customers outside it]"
        )
        st.space("stretch")
        export_button("segment_differences", segment_ids=ids)
    frame = found.differences
    if frame["difference"].notna().any():
        picture.chart(charts.differences(frame), key="compare-differences", file="segment-differences")
        st.caption(
            "Standardised difference with its 95 % interval: (mean of the segment − mean of all other "
            "customers) ÷ their common spread; 0.2 is small, 0.5 medium, 0.8 large. Present profile figures, "
            "over the people for whom they are known."
        )
    currency = workspace().currency
    table = frame.assign(
        value=[_said(row.measure, row.kind, row.value, currency) for row in frame.itertuples()],
        others=[_said(row.measure, row.kind, row.value_others, currency) for row in frame.itertuples()],
    )
    with st.expander("The figures"):
        st.dataframe(
            table[["label", "segment", "value", "n", "others", "n_others", "difference"]],
            hide_index=True,
            placeholder="–",
            column_config={
                "label": "What",
                "segment": "Segment",
                "value": st.column_config.TextColumn("In it", help="Mean, or share of people"),
                "n": st.column_config.NumberColumn(
                    "Known of", format="%,d", help="Its people of whom it is known"
                ),
                "others": "Others",
                "n_others": st.column_config.NumberColumn("Known of others", format="%,d"),
                "difference": st.column_config.NumberColumn("Difference", format="%+.2f"),
            },
        )


def _said(measure: str, kind: str, value: float, currency: str) -> str:
    if kind == "share" or value != value:
        return theme.percent(value)
    return amount(value, currency) if measure in _MONEY else f"{value:,.1f}"
