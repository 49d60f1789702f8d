"""The message of a campaign's form, and further variants of it that are tried against each other."""

from secrets import token_hex

import streamlit as st

from ma.services.campaign_variants import FIRST, LARGEST_EFFECT, NAMES, SMALLEST_EFFECT, shares
from ma.types import ORDER_VALUE, SIDE_STEPS, STEPS, Channel
from ui.campaign_widgets import Form, named
from ui.page import current_actor

# What a marketer has an opinion about; other assumed effects that a campaign has stay as they are.
EFFECTS = {
    "opened": "Opens",
    "clicked": "Clicks",
    "converted": "Conversions",
    "unsubscribed": "Unsubscriptions",
    ORDER_VALUE: "Order value",
}
_PERSONAL = 'Personal fields: {{ first_name | default: "there" }}, {{ last_name }}, {{ city }}, ' + (
    "{{ favourite_category }}. A default stands in where something is unknown."
)


def subject_label(channel: Channel) -> str | None:
    """What the line above a message is called in a channel; None where there is none."""
    return {Channel.EMAIL: "Subject", Channel.PUSH: "Title", Channel.ADS: "Headline"}.get(channel)


def draw(form: Form, channel: Channel) -> dict:
    """Draw the variants; subject, body and effects of the first one, and the others as `variants`."""
    others = st.session_state.setdefault(form.name("variants"), _begin(form))
    share = st.empty()
    first = _message(form, channel, FIRST, FIRST, form.campaign)
    variants = []
    for letter, other in zip(NAMES, others, strict=False):
        with st.container(border=True, key=form.name(f"variant-{other['uid']}")):
            head, size, away = st.columns([3, 2, 2], vertical_alignment="bottom")
            head.markdown(f"**Variant {letter}**")
            percent = size.number_input(
                "Share (%)",
                min_value=1.0,
                max_value=99.0,
                value=round(other["share"] * 100, 4),
                step=5.0,
                format="%.1f",
                key=form.name(f"{other['uid']}-share"),
            )
            away.button(
                f"Remove {letter}",
                icon=":material/delete:",
                type="tertiary",
                key=form.name(f"{other['uid']}-remove"),
                on_click=_remove,
                args=(form, other["uid"]),
            )
            form.place(f"variants.{NAMES.index(letter)}.share")
            message = _message(form, channel, letter, other["uid"], other)
            variants.append({"name": letter, "share": round((percent or 0) / 100, 6), **message})
    if variants:
        rest = shares(variants)[FIRST]
        words = (
            f"{rest * 100:.4g} % of the people, what the others leave"
            if rest > 0
            else "nobody is left for it"
        )
        share.markdown(f"**Variant {FIRST}** :gray[{words}]")
    form.place("variants")
    if len(variants) < len(NAMES):
        st.button(
            "Add variant",
            icon=":material/add:",
            key=form.name("add-variant"),
            help=f"Try another message against this one. It begins as a copy of {FIRST}.",
            on_click=_add,
            args=(form, channel),
        )
    return {**first, "variants": variants}


def _begin(form: Form) -> list[dict]:
    return [variant | {"uid": token_hex(4)} for variant in form.saved("variants", [])]


def _message(form: Form, channel: Channel, letter: str, uid: str, saved: dict) -> dict:
    """The fields of one variant; what is wrong with them is told under its own names."""
    told = named(letter)
    subject = saved.get("subject", "")
    if label := subject_label(channel):
        subject = st.text_input(
            label,
            subject,
            max_chars=200,
            key=form.name(f"{uid}-subject"),
            persist_state="page",
        )
        form.place(told("subject"))
    body = st.text_area(
        "Message", saved.get("body", ""), height=130, help=_PERSONAL, key=form.name(f"{uid}-body")
    )
    form.place(told("body"))
    effects = _effects(form, channel, uid, saved.get("effects", {}))
    form.place(told("effects"))
    return {"subject": subject, "body": body, "effects": effects}


def _effects(form: Form, channel: Channel, uid: str, saved: dict) -> dict:
    known = (*STEPS[channel][1:], *SIDE_STEPS[channel], ORDER_VALUE)
    found = {step: effect for step, effect in saved.items() if step in known and step not in EFFECTS}
    with st.expander("Assumed effects", icon=":material/experiment:", key=form.name(f"{uid}-effects")):
        st.caption(
            "What you expect of this message against the channel's usual rates: +10 makes a tenth more. "
            "These are assumptions, not measurements; the forecast and the simulation take them as given."
        )
        with st.grid(columns=5, min_column_width=120):
            for step, label in EFFECTS.items():
                if step not in known:
                    continue
                percent = st.number_input(
                    f"{label} (%)",
                    min_value=SMALLEST_EFFECT * 100,
                    max_value=LARGEST_EFFECT * 100,
                    value=round(saved.get(step, 0.0) * 100, 4),
                    step=5.0,
                    format="%.1f",
                    key=form.name(f"{uid}-effect-{step}"),
                    persist_state="page",
                )
                if percent:
                    found[step] = round(percent / 100, 6)
    return found


def _add(form: Form, channel: Channel) -> None:
    """A copy of the first variant as it is typed now, for half of its people."""
    current_actor()
    others = st.session_state[form.name("variants")]
    known = [
        {"name": letter, "share": st.session_state[form.name(f"{other['uid']}-share")] / 100}
        for letter, other in zip(NAMES, others, strict=False)
    ]
    rest = max(shares(known)[FIRST], 0.02)
    typed = {
        field: st.session_state.get(form.name(f"{FIRST}-{field}"), form.saved(field, ""))
        for field in ("subject", "body")
    }
    effects = {step: st.session_state.get(form.name(f"{FIRST}-effect-{step}"), 0.0) / 100 for step in EFFECTS}
    copy = typed | {"uid": token_hex(4), "share": round(rest / 2, 2), "effects": effects}
    st.session_state[form.name("variants")] = [*others, copy]


def _remove(form: Form, uid: str) -> None:
    current_actor()
    others = st.session_state[form.name("variants")]
    st.session_state[form.name("variants")] = [other for other in others if other["uid"] != uid]
