"""The workspace's own fields: their inputs in the customer form, and the dialog that manages them."""

from secrets import token_hex

import pandas as pd
import streamlit as st

from ma.analytics import attributes as attribute_data
from ma.services import attribute_fields as kinds
from ma.services.attributes import (
    LONGEST_NAME,
    change_attribute,
    define_attribute,
    delete_attribute,
)
from ui.customer_facts import shown_day
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, writing
from ui.text import literal

_YES_NO = {True: "Yes", False: "No"}


def shown_value(kind: str, value: object) -> str | None:
    """A value in words; None where it is unknown."""
    if value is None:
        return None
    if kind == "number":
        return f"{value:,.15g}"
    if kind == "yes_no":
        return _YES_NO[value]
    if kind == "date":
        return shown_day(value)
    return ", ".join(value) if kind == "list" else str(value)


def inputs(definitions: pd.DataFrame, values: dict, opening: str) -> dict[int, object]:
    """An input for each field, filled with the present values; what they hold, by attribute id."""
    return {
        row.attribute_id: _input(row, values.get(row.attribute_id), f"attribute-{row.attribute_id}-{opening}")
        for row in definitions.itertuples()
    }


def _input(row, value: object, key: str) -> object:
    label = literal(row.name)
    if row.kind == "date":
        return st.date_input(
            label, value=value, min_value=kinds.EARLIEST, max_value=kinds.LATEST, format="YYYY-MM-DD", key=key
        )
    if row.kind == "list":
        return st.multiselect(
            label,
            list(dict.fromkeys([*row.choices, *(value or ())])),
            default=list(value or ()),
            accept_new_options=not row.choices,
            placeholder="Choose" if row.choices else "Type and press Enter",
            key=key,
        )
    if row.kind == "yes_no" or row.choices:
        options = [True, False] if row.kind == "yes_no" else list(row.choices)
        if value is not None and value not in options:
            options.append(value)
        return st.selectbox(
            label,
            options,
            index=None if value is None else options.index(value),
            format_func=lambda option: literal(_YES_NO[option] if row.kind == "yes_no" else option),
            placeholder="Not known",
            key=key,
        )
    # A number as text: what is typed stays as it is, and an empty one is unknown.
    present = "" if value is None else f"{value:.15g}" if row.kind == "number" else value
    typed = st.text_input(label, value=present, max_chars=kinds.LONGEST_TEXT, autocomplete="off", key=key)
    return value if typed == present else typed


def manage_button() -> None:
    """Opens the dialog in which fields are added, changed and deleted; for those who may edit customers."""
    if st.button("Manage fields", icon=":material/tune:", type="tertiary", key="manage-fields"):
        _manage(token_hex(4))


@st.dialog("Fields of your own", width="medium", icon=":material/tune:", on_dismiss="rerun")
def _manage(opening: str) -> None:
    current_actor()
    # What was done in the dialog before this run: it shows below the title, where the eyes are.
    if done := st.session_state.pop("own-fields-done", None):
        st.success(done, icon=":material/check:")
    with reading() as session:
        definitions = attribute_data.definitions(session)
    st.caption(
        "They are on every customer's page and form, and files can fill them. "
        "A field's kind stays; its name and choices can change."
    )
    for row in definitions.itertuples():
        kind = kinds.KINDS[row.kind]
        with st.expander(f"**{literal(row.name)}** :gray[{kind}]"):
            _definition(row, opening)
    with st.container(border=True):
        _new(opening)


def _definition(row, opening: str) -> None:
    place = f"{row.attribute_id}-{opening}"
    with st.form(f"field-{place}", border=False):
        name = st.text_input("Name", value=row.name, max_chars=LONGEST_NAME, key=f"field-name-{place}")
        choices = None
        if row.kind in ("text", "list"):
            choices = _choices(row.choices, f"field-choices-{place}")
        saved = st.form_submit_button("Save field", icon=":material/check:", key=f"field-save-{place}")
    if saved:
        _attempt(
            f"'{name}' is saved.",
            lambda session, actor, at: change_attribute(
                session, actor, row.attribute_id, name=name, choices=choices, at=at
            ),
        )
    if st.checkbox("Delete this field", key=f"field-doomed-{place}"):
        with reading() as session:
            people = attribute_data.filled(session, row.attribute_id)
        what = "Nobody has anything in it." if not people else f"{people:,} customers lose what is in it."
        st.warning(f"{what} There is no way back.", icon=":material/warning:")
        if st.button("Delete field", type="primary", icon=":material/delete:", key=f"field-delete-{place}"):
            _attempt(
                f"'{row.name}' is deleted.",
                lambda session, actor, at: delete_attribute(session, actor, row.attribute_id, at=at),
            )


def _new(opening: str) -> None:
    turn = st.session_state.setdefault("own-fields-turn", 0)
    st.markdown("**Add a field**")
    with st.form(f"new-field-{opening}-{turn}", border=False, enter_to_submit=False):
        with st.grid(columns=2, min_column_width=180):
            name = st.text_input(
                "Name",
                max_chars=LONGEST_NAME,
                placeholder="Membership level",
                key=f"new-name-{opening}-{turn}",
            )
            kind = st.selectbox(
                "Kind", list(kinds.KINDS), format_func=kinds.KINDS.get, key=f"new-kind-{opening}-{turn}"
            )
        choices = _choices([], f"new-choices-{opening}-{turn}")
        saved = st.form_submit_button(
            "Add field", type="primary", icon=":material/add:", key=f"new-{opening}-{turn}"
        )
    if saved and _attempt(
        f"'{name}' is added.",
        lambda session, actor, at: define_attribute(
            session, actor, name=name, kind=kind, choices=choices, at=at
        ),
        rerun=False,
    ):
        st.session_state["own-fields-turn"] = turn + 1
        st.rerun(scope="fragment")


def _choices(present: list[str], key: str) -> list[str]:
    return st.multiselect(
        "Choices",
        present,
        default=present,
        accept_new_options=True,
        placeholder="Type one and press Enter",
        help="What a text or list may hold. Without choices: anything.",
        key=key,
    )


def _attempt(done: str, change, *, rerun: bool = True) -> bool:
    actor = current_actor()
    with shown() as attempt:
        at = now()
        with writing() as session:
            change(session, actor, at)
    if attempt.ok:
        st.session_state["own-fields-done"] = literal(done)
        if rerun:
            st.rerun(scope="fragment")
    return attempt.ok
