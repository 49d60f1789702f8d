"""The rule under work: a new segment or an existing one, with its name and the preview of whom it chooses."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ma import clock
from ma.analytics import segments as analytics
from ma.analytics.catalogue import catalogue as read_catalogue
from ma.analytics.missing_data import Undecided
from ma.analytics.segments import Audience, SegmentInfo
from ma.charts.theme import percent
from ma.errors import InvalidRule
from ma.rules.check import parse
from ma.rules.nodes import Node, leaves
from ma.rules.to_english import english
from ma.services import segments
from ma.types import Actor, Permission
from ui import rule_changes, rule_editor, rule_history, rule_json, rule_tree, segment_explanation
from ui.errors import shown
from ui.links import here
from ui.moments import ago
from ui.page import current_actor
from ui.rule_verdict import verdict
from ui.segment_templates import templates
from ui.session import now, reading, workspace, writing
from ui.text import literal

EMPTY_RULE = {"all": [{"field": "orders", "operator": "gte", "value": 1}]}
# A rule that does not change is not counted again at every click.
KEPT = timedelta(seconds=30)
# Rules of more conditions are explained on demand.
EXPLAINED = 12
# Unknown facts that are named; the rest are few.
_FACTS = 4
_VIEWS = {"builder": ":material/account_tree: Builder", "json": ":material/data_object: JSON"}
# On a wide screen the count and the sentence stay in sight while a long rule is scrolled.
_STYLE = """<style>
@media (min-width: 700px) {
[data-testid="stLayoutWrapper"]:has(> .st-key-rule-preview) { position: sticky; top: 3.6rem; z-index: 20; }
.st-key-rule-preview { backdrop-filter: blur(24px); max-height: 40vh; overflow-y: auto; }
}
/* A button of an icon alone needs no arrow beside it. */
[class*="-menu "] [data-testid="stMenuButtonButton"] div[aria-hidden="true"],
[class*="-spread-"] [data-testid="stPopoverButton"] div[aria-hidden="true"] { display: none; }
/* The edge of a group says how its rules are combined; the words above them do, too. */
[class*="st-key-rule-group-all-"] { box-shadow: inset 3px 0 #5A66DE; }
[class*="st-key-rule-group-any-"] { box-shadow: inset 3px 0 #088B67; }
[class*="st-key-rule-group-none-"] { box-shadow: inset 3px 0 #CA5A38; }
/* What can be done to a rule stays at its right edge, however its widgets wrap. */
[class*="st-key-rule-row-"], [class*="st-key-rule-head-"] { flex-wrap: nowrap; }
[class*="st-key-rule-actions-"] { flex-wrap: nowrap; min-height: 2.5rem; }
[class*="st-key-rule-together-"] { flex-wrap: nowrap; }
@media (max-width: 640px) {
/* Groups within groups need the width for what is in them. */
[class*="st-key-rule-group-"] { padding-left: 0.6rem; padding-right: 0.45rem; }
[class*="st-key-rule-head-"] { flex-wrap: wrap; }
[data-testid="stLayoutWrapper"]:has(> [class*="st-key-rule-together-"]) { min-width: 13rem; }
[class*="st-key-rule-head-"] [data-testid="stButtonGroup"] button { padding: 0.2rem 0.4rem; }
[class*="st-key-rule-head-"] [data-testid="stElementContainer"]:has([data-testid="stMarkdown"])
    { display: none; }
}
</style>"""


def create(actor: Actor) -> None:
    """Draw the form of a new segment; saving it opens the segment."""
    here("All segments", icon=":material/arrow_back:")
    if not actor.may(Permission.EDIT_SEGMENTS):
        st.error("Your role may read segments but not create them. Ask an admin for the role marketer.")
        return
    name = st.query_params.get("template", "")
    with reading() as session:
        events = read_catalogue(session).events
    template = templates(workspace().currency, events).get(name)
    name = template.name if template else ""

    def save(session, actor: Actor, at: datetime, **values) -> int:
        return segments.create_segment(session, actor, at=at, **values)

    rule_tree.open_with(f"new {name}", template.rule if template else EMPTY_RULE)
    _tell_of_draft()
    _work_on(name=name, label="Save segment", save=save)


def edit(segment: SegmentInfo) -> None:
    """Draw the editor of a segment; saving leads back to it."""
    version = _open(f"segment {segment.segment_id}", segment)

    def save(session, actor: Actor, at: datetime, **values) -> int:
        segments.update_segment(session, actor, segment.segment_id, version=version, at=at, **values)
        return segment.segment_id

    if version != segment.version:
        st.warning(
            "This segment was changed by somebody else since you opened it, so that yours cannot be saved.",
            icon=":material/group:",
        )
        if st.button("Drop mine and load the saved one", key="reload"):
            rule_tree.close()
            st.rerun()
    else:
        _tell_of_draft()
    _work_on(
        name=segment.name,
        description=segment.description,
        label="Save changes",
        save=save,
        back_to=segment.segment_id,
    )


def _open(token: str, segment: SegmentInfo) -> int:
    """Begin with the saved rule; one that has become wrong is shown as text, to be put right."""
    opening = {"version": segment.version, "but": segment.segment_id}
    try:
        return rule_tree.open_with(token, segment.rule, **opening)
    except InvalidRule as error:
        version = rule_tree.open_with(token, EMPTY_RULE, **opening)
        rule_tree.state()["broken"] = str(error)
        rule_json.keep(rule_json.written(segment.rule))
        st.session_state["rule-as"] = "json"
        return version


def _tell_of_draft() -> None:
    """Say to whoever left the editor and comes back that what they did there is still here."""
    draft = rule_tree.state()
    # A widget is forgotten when the screen is left.
    if _key("name") not in st.session_state:
        draft["came_back_to"] = rule_tree.touched_at()
    if left_at := draft.get("came_back_to"):
        with st.container(border=True, horizontal=True, vertical_alignment="center", key="rule-draft"):
            words = f"Your unsaved draft, last changed {ago(left_at, clock.now())}."
            st.markdown(f":orange[:material/edit_note:] {words}", width="stretch")
            st.button("Start anew", icon=":material/restart_alt:", key="start-anew", on_click=rule_tree.close)


def _key(part: str) -> str:
    return f"{part}-{rule_tree.state()['draft']}"


def _text(part: str, saved: str, **options) -> str:
    """Draw a text that is kept with the rule; it begins as it was saved."""
    key = _key(part)
    st.session_state.setdefault(key, rule_tree.state().get(part, saved))
    return st.text_input(part.capitalize(), key=key, on_change=_keep, args=(part,), **options)


def _keep(part: str) -> None:
    if (draft := rule_tree.state()) and _key(part) in st.session_state:
        draft[part] = st.session_state[_key(part)]
        rule_tree.touch()


def _work_on(
    *,
    name: str,
    label: str,
    save: Callable,
    description: str = "",
    back_to: int | None = None,
) -> None:
    """Draw name, description, rule and preview; what is saved is refreshed in the same transaction."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = _text("name", name, max_chars=segments.LONGEST_NAME, placeholder="Loyal customers", width=280)
        description = _text(
            "description",
            description,
            max_chars=segments.LONGEST_DESCRIPTION,
            placeholder="What it is for (optional)",
            width="stretch",
        )
        if st.button("Cancel", type="tertiary", key="cancel"):
            _leave_editor(back_to)
        asked_to_save = st.button(label, type="primary", icon=":material/save:", key="save")
    # What goes wrong while saving is told here, above the rule.
    told = st.container()
    if broken := rule_tree.state().get("broken"):
        st.warning(
            f"The saved rule no longer works, so it is shown as text below. {literal(broken)}",
            icon=":material/build:",
        )
    _rule_and_preview()
    if not asked_to_save or (rule := _to_save(told)) is None:
        return
    actor, at = current_actor(), now()
    with told, shown() as attempt, writing() as session:
        values = {"name": name, "description": description, "rule": rule}
        segment_id = save(session, actor, at, **values)
        refresh = segments.refresh_segment(session, actor, segment_id, at=at)
    if attempt.ok:
        changes = f"{refresh.entered:,} entered, {refresh.left:,} left"
        saved = "Saved with the JSON that you typed" if rule_json.unused() else "Saved"
        st.toast(f"{saved}. {refresh.size:,} customers: {changes}.", icon=":material/check:")
        _leave_editor(segment_id)


def _to_save(told: DeltaGenerator) -> dict | None:
    """The rule as it is to be saved; None where something is wrong with it, which `told` then says."""
    if rule_json.unused():
        try:
            return rule_json.to_save()
        except InvalidRule as error:
            told.error(
                f"Nothing was saved: the JSON that you typed is wrong. {rule_json.problem(error)}  \n"
                "Correct it, or discard it to save the rule as the builder shows it.",
                icon=":material/error:",
            )
            return None
    if verdict().finished:
        return rule_tree.rule()
    told.error("The rule is not finished: correct what is marked in red.", icon=":material/error:")
    return None


@st.fragment
def _rule_and_preview() -> None:
    current_actor()
    if rule_tree.state().pop("named", False):
        # The name stands outside of this fragment.
        st.rerun()
    st.html(_STYLE)
    currency = workspace().currency
    found, wrong = None, None
    if verdict().finished:
        try:
            found = _found()
        except InvalidRule as error:
            # As where another segment that it names leads back to this one.
            wrong = str(error)
    with st.container(border=True, key="rule-preview", horizontal=True, vertical_alignment="center"):
        _preview(found, wrong, currency)
    _toolbar(currency)
    if st.session_state.get("rule-as") == "json":
        rule_json.draw(currency)
    else:
        rule_json.draw_reminder()
        rule_editor.draw(currency)
    if found:
        _explain(verdict().node, found.as_of, currency)


def _explain(node: Node, as_of: datetime, currency: str) -> None:
    """What the rule does; of a long rule only when somebody asks, so that changing it stays quick."""
    place = st.container()
    if sum(1 for _ in leaves(node)) > EXPLAINED:
        place = st.expander(
            "What each rule does, who they are, and why somebody is in or not",
            icon=":material/stairs:",
            key="explain-long",
            on_change="rerun",
        )
        if not place.open:
            return
    with place:
        segment_explanation.draw(node, currency=currency, as_of=as_of, catalogue=rule_tree.catalogue())


@dataclass(frozen=True)
class _Found:
    """Whom the rule under work chooses, as of a moment ago."""

    as_of: datetime
    audience: Audience


def _found() -> _Found:
    """Whom the rule chooses; what leaves the rule as it is, such as opening a menu, counts nothing."""
    state, node, as_of = rule_tree.state(), verdict().node, now()
    kept = state.get("preview")
    if kept is None or kept[0] != node or not timedelta(0) <= as_of - kept[1].as_of < KEPT:
        with reading() as session:
            audience = analytics.audience(session, node, as_of=as_of)
        kept = state["preview"] = (node, _Found(as_of, audience))
    return kept[1]


def _preview(found: _Found | None, wrong: str | None, currency: str) -> None:
    with st.container(width=200, gap="xsmall"):
        if found is None:
            st.metric("Customers chosen", "–")
        else:
            audience = found.audience
            share = audience.people / audience.everybody if audience.everybody else math.nan
            st.metric("Customers chosen", f"{audience.people:,}")
            st.progress(share if audience.everybody else 0.0)
            st.caption(f"{audience.people:,} of {audience.everybody:,} customers · {percent(share)}")
    with st.container(width="stretch", gap="xsmall", key="rule-sentence"):
        if found is None:
            unfinished = "Finish what is marked in red to see whom the rule chooses."
            st.markdown(f":red[:material/error: {literal(wrong)}]" if wrong else unfinished)
            return
        st.text(english(verdict().node, currency=currency, catalogue=rule_tree.catalogue()))
        _undecided(found.audience.undecided)


def _undecided(found: Undecided) -> None:
    for people, way, said in (
        (found.left_out, "left_out", "more might belong, but"),
        (found.in_anyway, "in_anyway", "of those chosen might not belong, since"),
    ):
        if people:
            facts = ", ".join(f"{literal(fact)} ({count:,})" for fact, count in found.facts(way)[:_FACTS])
            st.caption(f":material/help: {people:,} {said} what decides it is unknown: {facts}.")


def _toolbar(currency: str) -> None:
    """Undo, redo, other rules to begin with, and the JSON behind it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="rule-tools"):
        st.button(
            "Undo",
            icon=":material/undo:",
            key="undo",
            on_click=rule_history.undo,
            disabled=not rule_history.can_undo(),
        )
        st.button(
            "Redo",
            icon=":material/redo:",
            key="redo",
            on_click=rule_history.redo,
            disabled=not rule_history.can_redo(),
        )
        offered = templates(currency, rule_tree.catalogue().events)
        st.menu_button(
            "Templates",
            list(offered),
            format_func=lambda name: f"**{name}** :gray[{offered[name].purpose}]",
            icon=":material/auto_awesome:",
            key="rule-template",
            help="Put one of the usual rules in the place of this one",
            on_click=_use_template,
            args=(currency,),
        )
        st.space("stretch")
        st.session_state.setdefault("rule-as", "builder")
        st.segmented_control(
            "Show the rule as",
            list(_VIEWS),
            format_func=_VIEWS.get,
            required=True,
            label_visibility="collapsed",
            key="rule-as",
        )


def _use_template(currency: str) -> None:
    chosen, state = st.session_state.get("rule-template"), rule_tree.state()
    if chosen and state:
        known = rule_tree.catalogue()
        template = templates(currency, known.events)[chosen]
        rule_changes.replace(parse(template.rule, known))
        if not st.session_state.get(_key("name")):
            st.session_state[_key("name")] = state["name"] = template.name
            state["named"] = True


def _leave_editor(segment_id: int | None) -> None:
    rule_tree.close()
    st.query_params.clear()
    if segment_id is not None:
        st.query_params["id"] = str(segment_id)
    st.rerun()
