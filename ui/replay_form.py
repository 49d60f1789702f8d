"""What a replay changes: one form, so that it runs once and not at every number that is typed."""

from collections.abc import Mapping, Sequence

import streamlit as st

from ma.money import symbol
from ui import replay_changes as changes
from ui.forecast_changes import Field
from ui.page import current_actor

_COSTS = ("cost", "fixed", "budget", "window")


def draw(campaign: Mapping, known: Sequence[Field], segments: Mapping[int, str], currency: str) -> str:
    """Draw the form; the changes as they are in the address, which it keeps."""
    made = changes.read(st.query_params.get("change", ""), known, segments)
    by_name = {field.name: field for field in known}
    offer = [by_name[name] for name in changes.effects(campaign)]
    shares = [by_name[variant["name"]] for variant in campaign["variants"]]
    own = [field for field in known if "." in field.name]
    tabs = ["Offer", *(["Messages"] if shares else []), "Who gets it", "Cost and time"]
    values: dict = {}
    with st.form("replay-form"):
        drawn = dict(zip(tabs, st.tabs(tabs), strict=True))
        with drawn["Offer"]:
            st.caption("On top of what was assumed, for every message of the campaign.")
            values |= _numbers(offer, campaign, made, currency)
        if shares:
            with drawn["Messages"]:
                st.caption("Message A gets what the others leave. Effects are of one message alone.")
                values |= _numbers([*shares, *own], campaign, made, currency)
        with drawn["Who gets it"]:
            values |= _people(campaign, made, segments)
            values |= _numbers([by_name["cap"], by_name["holdout"]], campaign, made, currency)
            st.caption("The cap is this campaign's alone: all others went out as they did.")
        with drawn["Cost and time"]:
            values |= _numbers([by_name[name] for name in _COSTS], campaign, made, currency)
        with st.container(horizontal=True):
            ready = st.form_submit_button("Replay campaign", type="primary", icon=":material/replay:")
            st.form_submit_button(
                "As it was", icon=":material/undo:", on_click=_as_it_was, args=(campaign["id"],)
            )
    text = changes.written(values if ready else made, known, campaign)
    if text:
        st.query_params["change"] = text
    else:
        st.query_params.pop("change", None)
    return text


def _numbers(fields: Sequence[Field], campaign: Mapping, made: Mapping, currency: str) -> dict:
    with st.grid(columns=4, min_column_width=190):
        return {field.name: _number(field, campaign, made, currency) for field in fields}


def _number(field: Field, campaign: Mapping, made: Mapping, currency: str) -> float | None:
    value, whole = made.get(field.name, field.planned), field.name in changes.WHOLE
    kind = int if whole else float
    return st.number_input(
        f"{field.label} ({symbol(currency).strip()})" if field.money else field.label,
        min_value=kind(field.least),
        max_value=kind(field.most),
        value=None if value is None else kind(value),
        step=kind(field.step),
        format="%d" if whole else "%.2f" if field.money else "%.1f",
        placeholder="Unknown" if field.name != "budget" else "No limit",
        key=_key(field.name, campaign["id"]),
    )


def _people(campaign: Mapping, made: Mapping, segments: Mapping[int, str]) -> dict:
    ids, own = list(segments), campaign["segment_id"]
    now = made.get(changes.SEGMENT, own)
    others = [one for one in ids if one != own]
    with st.grid(columns=3, min_column_width=240):
        chosen = st.selectbox(
            "Segment",
            ids,
            index=ids.index(now) if now in ids else None,
            format_func=segments.get,
            key=_key(changes.SEGMENT, campaign["id"]),
            help="Its people as of the launch.",
        )
        also = st.multiselect(
            "Also sent to",
            others,
            default=made.get(changes.ALSO, []),
            format_func=segments.get,
            placeholder="Nobody else",
            key=_key(changes.ALSO, campaign["id"]),
        )
        without = st.multiselect(
            "Also left out",
            [one for one in others if one not in campaign["excluded"]],
            default=[one for one in made.get(changes.WITHOUT, []) if one in others],
            format_func=segments.get,
            placeholder="Nobody else",
            key=_key(changes.WITHOUT, campaign["id"]),
        )
    return {changes.SEGMENT: chosen, changes.ALSO: also, changes.WITHOUT: without}


def _key(name: str, campaign_id: int) -> str:
    return f"replay-{campaign_id}-{name}"


def _as_it_was(campaign_id: int) -> None:
    current_actor()
    st.query_params.pop("change", None)
    for name in [name for name in st.session_state if str(name).startswith(_key("", campaign_id))]:
        del st.session_state[name]
