"""What a rule does, whom it chooses, and why somebody is in or not."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime

import streamlit as st

from ma.analytics import explanation as analytics
from ma.analytics import segments
from ma.analytics.customers import customers
from ma.analytics.explanation import Explanation, Why
from ma.analytics.glance import FACETS
from ma.analytics.missing_data import Undecided
from ma.charts import segments as charts
from ma.errors import Exposed
from ma.rules.catalogue import STANDARD, Catalogue
from ma.rules.nodes import Match, Node, to_json
from ui import picture
from ui.export import export_button
from ui.segment_people import COLUMNS, table
from ui.session import reading
from ui.text import literal

VIEWS = {
    "effects": ":material/stairs: What each rule does",
    "glance": ":material/groups: Who they are",
    "sample": ":material/person_search: Sample",
    "why": ":material/help: Why is this person (not) in?",
}
SAMPLE = 10
# A long rule's picture is scrolled in a frame of this height.
_MOST_PARTS, _FRAME = 9, 480
# People offered for what was typed.
_OFFERED = 8
_KEPT = 8
# Unknown facts that are named; the rest are few.
_FACTS = 5
_LONGEST_ADDRESS = 4_000
_HOW = {
    Match.ALL: "From all customers down: each part leaves people out, in this order.",
    Match.ANY: "Each part adds people who were not in yet, in this order.",
    Match.NONE: "From all customers down: each part takes the people out for whom it holds, in this order.",
}
# Cells cut long words: on a phone the rules leave room for some of their numbers, elsewhere they are whole.
_PHONE = 150
_ONE_OF_TWO = """<style>
@media (min-width: 641px) { .st-key-rule-effects-phone { display: none; } }
@media (max-width: 640px) { .st-key-rule-effects-wide { display: none; } }
</style>"""


def draw(node: Node, *, currency: str, as_of: datetime, catalogue: Catalogue = STANDARD) -> None:
    """Draw the explanation of a rule under its count; cheap while the rule stays as it is."""
    view = st.segmented_control(
        "Explain the rule",
        list(VIEWS),
        default="effects",
        format_func=VIEWS.get,
        key="explain-view",
        label_visibility="collapsed",
    )
    moment = as_of.replace(second=0, microsecond=0)
    try:
        match view:
            case "effects":
                _effects(_explained(node, moment, catalogue), node)
            case "glance":
                _glance(node, moment, catalogue)
            case "sample":
                _sample(node, moment, currency)
            case "why":
                _why(node, moment, catalogue)
    except Exposed as error:
        # As where a segment that the rule names was deleted a moment ago.
        st.error(literal(error), icon=":material/error:")


def _kept(view: str, node: Node, moment: datetime, work: Callable[[], object], *more: object) -> object:
    """What was worked out for this rule and minute already, or now. Only this session sees it."""
    kept = st.session_state.setdefault("explanations", {})
    key = (view, node, moment, *more)
    if key not in kept:
        kept[key] = work()
        while len(kept) > _KEPT:
            kept.pop(next(iter(kept)))
    return kept[key]


# What each rule does


def _explained(node: Node, moment: datetime, catalogue: Catalogue) -> Explanation:
    def work() -> Explanation:
        with reading() as session:
            return analytics.explain(session, node, as_of=moment, catalogue=catalogue)

    return _kept("effects", node, moment, work)


def _effects(found: Explanation, node: Node) -> None:
    parts = int((found.effects["depth"] == 0).sum())
    _head("What each part of the rule does", "customers", "segment_steps", node)
    if parts > 1:
        st.caption(_HOW[found.match])
        with st.container(height=_FRAME if parts > _MOST_PARTS else "content", border=False):
            steps, shares = st.columns([3, 2], gap="large")
            with steps:
                adds = found.match is Match.ANY
                figure = charts.waterfall(found.effects, everybody=found.everybody, adds=adds)
                picture.chart(figure, key="explain-steps", file="rule-step-by-step")
            with shares:
                st.caption(
                    "**Share of the effect**, whatever the order: of everybody whom several parts "
                    f"{'bring in' if adds else 'leave out'}, each has its part."
                )
                picture.chart(charts.shares(found.effects), key="explain-shares", file="rule-shares")
    _table(found)
    _missing(found.undecided)


def _head(title: str, unit: str, frame: str, node: Node) -> None:
    rule = json.dumps(to_json(node), ensure_ascii=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{title}** :gray[{unit}]")
        st.space("stretch")
        # Nothing in between takes a longer address for certain.
        if len(rule) <= _LONGEST_ADDRESS:
            export_button(frame, key=f"export-{frame}", rule=rule)


def _table(found: Explanation) -> None:
    # A rule inside a group is set in.
    indented = ["\u2003\u2003" * row.depth + row.rule for row in found.effects.itertuples()]
    share = found.effects["share"].abs()
    frame = found.effects.assign(rule=indented, share=share / (share.sum() or float("nan")) * 100)
    columns = ["rule", "own", "after", "step", "change", "share"]
    if len(frame) == 1:
        columns = ["rule", "own"]
    if not found.missing.empty:
        columns.insert(2, "undecided")
    st.html(_ONE_OF_TWO)
    for name, width in (("wide", None), ("phone", _PHONE)):
        with st.container(key=f"rule-effects-{name}"):
            st.dataframe(
                frame[columns],
                hide_index=True,
                placeholder="",
                height=min(35 * len(frame) + 38, 420),
                column_config={
                    "rule": st.column_config.TextColumn("Rule", width=width),
                    **_figures(found.match),
                },
            )


def _figures(match: Match) -> dict:
    """The columns of numbers; each says what it counts."""
    added = match is Match.ANY
    done = "added by the rules up to this one" if added else "left once the rules up to this one applied"
    return {
        "own": _number("Alone", "Customers for whom it holds, whatever the other rules say"),
        "undecided": _number("Unknown", "Customers of whom it is unknown whether it holds"),
        "after": _number("After it", f"Customers {done}"),
        "step": _number("Changes", "Customers more or fewer after it than before it", signed=True),
        "change": _number("Without it", "Customers more or fewer if this rule were not there", signed=True),
        "share": st.column_config.NumberColumn(
            "Share",
            help=f"Percent of all customers whom the rules {'bring in' if added else 'leave out'}, whatever "
            "the order",
            format="%.0f %%",
            width="small",
        ),
    }


def _number(label: str, about: str, *, signed: bool = False):
    return st.column_config.NumberColumn(
        label, help=about, format="%+,.0f" if signed else "%,d", width="small"
    )


def _missing(found: Undecided) -> None:
    for people, way, said in (
        (found.left_out, "left_out", "left out, although what is unknown about them could bring them in"),
        (found.in_anyway, "in_anyway", "in, although what is unknown about them could put them out"),
    ):
        if people:
            facts = ", ".join(f"{literal(fact)} ({count:,})" for fact, count in found.facts(way)[:_FACTS])
            st.caption(f":material/help: **{people:,}** customers are {said}: {facts}.")


# Who they are


def _glance(node: Node, moment: datetime, catalogue: Catalogue) -> None:
    def work():
        with reading() as session:
            return analytics.glance(session, node, as_of=moment, catalogue=catalogue)

    frame = _kept("glance", node, moment, work)
    people = int(frame[frame["facet"] == "age"]["people"].sum())
    if not people:
        st.caption("The rule chooses nobody.")
        return
    _head("Who they are", "against all customers", "segment_glance", node)
    st.caption(
        f"Bars: the {people:,} customers chosen. Orange lines: all customers. Shares of all of them, "
        "those included of whom it is unknown."
    )
    with st.grid(columns=2, border=True, min_column_width=300):
        for name, title in FACETS.items():
            with st.container(height="stretch", gap="xsmall"):
                st.markdown(f"**{title}** :gray[share of the customers chosen]")
                part = frame[frame["facet"] == name]
                picture.chart(charts.glance(part), key=f"explain-{name}", file=f"audience-by-{name}")


def _sample(node: Node, moment: datetime, currency: str) -> None:
    def work():
        with reading() as session:
            return segments.sample(session, node, as_of=moment, size=SAMPLE)

    people = _kept("sample", node, moment, work)
    if people.empty:
        st.caption("The rule chooses nobody.")
        return
    table(people, currency, COLUMNS)
    st.caption(f"{len(people)} of the people chosen, picked by chance, the same ones each time.")


# Why is this person in?


def _why(node: Node, moment: datetime, catalogue: Catalogue) -> None:
    typed = st.text_input(
        "Customer",
        placeholder="Name, e-mail address or id in the system they come from",
        key="explain-who",
        icon=":material/search:",
        width=420,
    )
    if not typed.strip():
        st.caption("Type who it is to see rule by rule why they are in or not.")
        return
    with reading() as session:
        found = customers(
            session, as_of=moment, q=typed, columns="name,email,city,external_id", limit=_OFFERED
        )
    if found.empty:
        st.caption("Nobody is found. Try the e-mail address, or fewer letters of the name.")
        return
    names = {row.customer_id: _who(row) for row in found.itertuples()}
    chosen = st.selectbox("Found", list(names), format_func=names.get, key=f"explain-whom-{typed}", width=420)

    def work() -> Why:
        with reading() as session:
            return analytics.why(session, node, chosen, as_of=moment, catalogue=catalogue)

    tree = _kept("why", node, moment, work, chosen)
    verdict = "is in" if tree.holds else "is not in"
    unsure = ", but what is unknown about them could change that" if tree.undecided else ""
    st.markdown(f"{_mark(tree)} **{literal(names[chosen])}** {verdict}{unsure}.")
    st.markdown("\n".join(_lines(tree, 0)))


def _who(row) -> str:
    known = [part for part in (row.name, row.email, row.city) if isinstance(part, str) and part]
    return " · ".join(known) or f"Customer {row.customer_id}"


_JOINS = {
    "all": "All of these hold",
    "any": "At least one of these holds",
    "none": "None of these holds",
    "not": "This does not hold",
}


def _lines(part: Why, depth: int) -> Iterator[str]:
    """The tree as a list in Markdown; whatever comes from data stands in it as it is."""
    words = _JOINS.get(part.joins, literal(part.rule))
    actual = ""
    if part.joins is None:
        said = "unknown" if part.value is None else literal(part.value)
        actual = f" :gray[· actually] **{said}**"
    yield f"{'    ' * depth}- {_mark(part)} {words}{actual}"
    for inner in part.parts:
        yield from _lines(inner, depth + 1)


def _mark(part: Why) -> str:
    if part.undecided:
        held = "yes" if part.holds else "no"
        return f":orange[:material/help:] :orange[{held}, by missing data]"
    return ":green[:material/check_circle:]" if part.holds else ":red[:material/cancel:]"
