"""Which cohorts the screen shows and how, kept in the address so that a view can be sent to a colleague."""

from dataclasses import dataclass

import streamlit as st

from ma.analytics import rule_values
from ma.analytics import segments as segment_list
from ma.analytics.cohorts import filter_fields
from ma.text import whole_number
from ui.session import now, reading

# Name in the address -> column of the frame and words of the choice.
MEASURES = {
    "retention": ("retention", "Retention"),
    "customers": ("customers", "Customers"),
    "orders": ("orders", "Orders"),
    "revenue": ("revenue_minor", "Revenue"),
    "value": ("cumulative_revenue_per_customer_minor", "Revenue per customer so far"),
}
LENGTHS = {"12": "12 months", "24": "24 months", "36": "36 months", "all": "All"}
_UNKNOWN = "Unknown"
# No segment has this id.
_EVERYBODY = 0


@dataclass(frozen=True)
class Choice:
    """What is shown: the measure of the cells (a column), and whose cohorts."""

    measure: str
    newest: int | None
    field: str
    value: str | None
    segment_id: int | None

    @property
    def filters(self) -> dict[str, object]:
        """The parameters of the frames; those that are None filter nothing."""
        return {"field": self.field or None, "value": self.value, "segment_id": self.segment_id}

    @property
    def params(self) -> dict[str, object]:
        """Filters and period, as the export takes them."""
        return self.filters | {"newest": self.newest}


def draw() -> Choice:
    """Draw the choices in one row and return what is chosen."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = st.segmented_control(
            "Show",
            list(MEASURES),
            default="retention",
            format_func=lambda name: MEASURES[name][1],
            required=True,
            key="cohort-measure",
            bind="query-params",
        )
        length = st.segmented_control(
            "First purchase in the last",
            list(LENGTHS),
            default="24",
            format_func=LENGTHS.get,
            required=True,
            key="cohort-months",
            bind="query-params",
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        field, value = _field()
        segment_id = _segment()
    return Choice(
        measure=MEASURES.get(measure, MEASURES["retention"])[0],
        newest=whole_number(length or "24"),
        field=field,
        value=value,
        segment_id=segment_id,
    )


def _field() -> tuple[str, str | None]:
    fields = filter_fields()
    asked = st.query_params.get("by", "")
    if asked and asked not in fields:
        st.caption("The filter in the address is not there. Choose another one.")
    chosen = st.selectbox(
        "Only customers by",
        ["", *fields],
        index=["", *fields].index(asked) if asked in fields else 0,
        format_func=lambda name: fields[name].title if name else "Everybody",
        key="cohort-by",
        width=220,
    )
    if not chosen:
        _remember("by", None)
        _remember("is", None)
        return "", None
    with reading() as session:
        known = rule_values.choices(session, chosen)
    counts = {row.value: int(row.count) for row in known.frame.itertuples(index=False) if row.value}
    if unknown := known.rows - sum(counts.values()):
        counts[""] = unknown
    values, asked = list(counts), st.query_params.get("is")
    if not values:
        st.caption("Nobody has a value in it.")
        return "", None
    value = st.selectbox(
        fields[chosen].title,
        values,
        index=values.index(asked) if asked in values else 0,
        format_func=lambda one: f"{one or _UNKNOWN} ({counts.get(one, 0):,} customers)",
        key=f"cohort-is-{chosen}",
        width=260,
    )
    _remember("by", chosen)
    _remember("is", value)
    return chosen, value


def _segment() -> int | None:
    with reading() as session:
        frame = segment_list.segments(session, as_of=now())
    names = dict(zip(frame["segment_id"].tolist(), frame["name"], strict=True))
    asked = whole_number(st.query_params.get("segment", ""))
    if "segment" in st.query_params and asked not in names:
        st.caption("The segment in the address is not there. Choose another one.")
    if not names:
        return None
    options = [_EVERYBODY, *names]
    chosen = st.selectbox(
        "In the segment",
        options,
        index=options.index(asked) if asked in names else 0,
        format_func=lambda one: names.get(one, "All customers"),
        key="cohort-segment",
        width=260,
    )
    _remember("segment", str(chosen) if chosen != _EVERYBODY else None)
    return chosen if chosen != _EVERYBODY else None


def _remember(name: str, value: str | None) -> None:
    if value is None:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = value
