"""How the message of a campaign reads to real people who would be sent it."""

import re

import pandas as pd
import streamlit as st

from ma.analytics import campaigns as campaign_list
from ma.money import amount
from ma.services import text_messages
from ma.services.campaign_preview import Part, Preview, parts
from ma.services.campaign_variants import messages
from ma.services.merge_fields import MERGE_FIELDS
from ma.types import Channel
from ui.page import current_actor
from ui.session import reading, workspace
from ui.text import literal, literal_lines

PEOPLE = 5
# Around a default while the text is made harmless: no text should have them, and they are taken out of it.
_BEGIN, _END = "\ue000", "\ue001"
# What other tools call a field: here it would be sent as it stands.
_ONE_BRACE = re.compile(r"(?<!\{)\{\s*(" + "|".join(MERGE_FIELDS) + r")\s*\}(?!\})")
_LINKED = re.compile(r"(@|:(?=//)|www(?=\.))", re.IGNORECASE)


def draw(campaign: dict, found: Preview | None, name: str) -> None:
    """Some people, and each variant as they would read it; nothing in it is interpreted."""
    if found is None or not found.treated:
        st.caption("A preview on real people follows once somebody would be sent it: choose a segment.")
        return
    page = f"readers-{name}"
    variants = {variant["name"]: variant for variant in messages(campaign)}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            "**As they would read it** :gray[people who would be sent it, chosen at random]", width="content"
        )
        letter = next(iter(variants))
        if len(variants) > 1:
            chosen = st.segmented_control(
                "Variant",
                list(variants),
                default=letter,
                format_func=lambda one: f"Variant {one}",
                required=True,
                key=f"read-{name}-{len(variants)}",
                label_visibility="collapsed",
            )
            letter = chosen or letter
        st.space("stretch")
        if found.treated > PEOPLE:
            st.button(
                "Other people", icon=":material/shuffle:", key=f"others-{name}", on_click=_turn, args=(page,)
            )
    with reading() as session:
        people = campaign_list.people(session, found.readers(st.session_state.get(page, 0), PEOPLE))
    readers = [_person(row) for row in people.to_dict("records")]
    channel = Channel(campaign["channel"])
    if channel is Channel.SMS:
        _text_length(variants[letter]["body"], readers, campaign)
    if one := _ONE_BRACE.search(f"{variants[letter]['subject']} {variants[letter]['body']}"):
        st.warning(
            f"{literal(one[0])} would be sent as it stands. A personal field has two braces on each side: "
            f"{{{{ {literal(one[1])} }}}}.",
            icon=":material/data_object:",
        )
    defaulted = set()
    with st.grid(columns=3, min_column_width=250, border=True):
        for reader in readers:
            defaulted |= _card(variants[letter], reader, channel)
    if defaulted:
        fields = ", ".join(sorted(field.replace("_", " ") for field in defaulted))
        st.caption(
            f":orange-background[Marked]: unknown of this person ({fields}), so the default stands there."
        )


def _turn(page: str) -> None:
    current_actor()
    st.session_state[page] = st.session_state.get(page, 0) + 1


def _person(row: dict) -> dict:
    return {name: None if pd.isna(value) else value for name, value in row.items()}


def _card(variant: dict, reader: dict, channel: Channel) -> set[str]:
    """One person's message; the fields that are unknown of them."""
    person = {field: reader[field] for field in MERGE_FIELDS}
    subject, body = (parts(variant[field], person) for field in ("subject", "body"))
    with st.container():
        who = reader["name"] or reader["email"] or f"Customer {reader['customer_id']}"
        address = reader["phone"] if channel is Channel.SMS else reader["email"]
        told = " · ".join(part for part in dict.fromkeys((who, address)) if part)
        st.caption(literal(_unlinked(told)))
        if variant["subject"]:
            st.markdown(f"**{_marked(subject)}**")
        st.markdown(_marked(body) if variant["body"].strip() else ":gray[No message yet]")
        if channel is Channel.SMS:
            st.caption(_counted(text_messages.length("".join(part.text for part in body))))
    return {part.default_for for part in (*subject, *body)} - {""}


def _marked(pieces: list[Part]) -> str:
    """The text as it is, its defaults marked."""
    text = ""
    for piece in pieces:
        clean = piece.text.replace(_BEGIN, "").replace(_END, "")
        text += f"{_BEGIN}{clean or '(nothing)'}{_END}" if piece.default_for else clean
    return literal_lines(_unlinked(text)).replace(_BEGIN, ":orange-background[").replace(_END, "]")


def _unlinked(text: str) -> str:
    """The text with something invisible where the browser would otherwise make an address a link."""
    return _LINKED.sub("\\1\N{WORD JOINER}", text)


def _text_length(body: str, readers: list[dict], campaign: dict) -> None:
    """What the length of a text message means for its cost."""
    longest = max(
        (text_messages.length("".join(part.text for part in parts(body, reader))) for reader in readers),
        key=lambda length: (length.parts, length.units),
    )
    each = campaign["cost_per_thousand_minor"]
    if longest.parts > 1:
        price = amount(each, workspace().currency)
        st.warning(
            f"For some it takes **{longest.parts} text messages**, and most providers bill each. Check that "
            f"the cost per thousand ({literal(price)}) is that of {longest.parts}, or shorten the text.",
            icon=":material/sms:",
        )
    if longest.unusual:
        st.caption(
            f"{literal(longest.unusual[:20])} is not in the alphabet of text messages: one holds "
            f"{text_messages.UCS_ALONE} characters instead of {text_messages.GSM_ALONE}."
        )


def _counted(length: text_messages.TextLength) -> str:
    messages = "1 text message" if length.parts == 1 else f"{length.parts} text messages"
    return f"{length.units:,} of {length.room:,} characters · {messages}"
