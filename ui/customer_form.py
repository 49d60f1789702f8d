"""Adding, changing and deleting a customer, each in its dialog."""

from datetime import date
from secrets import token_hex

import streamlit as st

from ma.analytics import attributes as attribute_data
from ma.analytics.profile import Profile
from ma.clock import local_day
from ma.services.attributes import set_values
from ma.services.customer_fields import TEXTS
from ma.services.customers import create_customer, delete_customer, update_customer
from ma.types import Channel
from ui import attribute_editor
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, workspace, writing
from ui.text import literal

_GENDERS = ("female", "male", "other")
_MORE = {
    "age_band": "Age band",
    "income_band": "Income band",
    "home_ownership": "Home ownership",
    "marital_status": "Marital status",
    "household_size": "Household size",
    "household_composition": "Household composition",
    "kids": "Kids",
}


def add() -> None:
    """Open the empty form; saving it opens the new customer."""
    # A key of its own for each opening: what was typed into a form that was closed is gone.
    _add(token_hex(4))


def edit(profile: Profile, *, section: str = "") -> None:
    """Open the form of a customer as they are now; it is saved only if nobody else saved meanwhile.

    `section` is the part to open: "fields" for the workspace's own fields.
    """
    _edit(profile, section, token_hex(4))


@st.dialog("Add customer", width="medium", icon=":material/person_add:")
def _add(opening: str) -> None:
    actor = current_actor()
    sent = _form({}, {}, "", opening, "Add customer")
    if sent is None:
        return
    values, own = sent
    with shown() as attempt:
        at = now()
        with writing() as session:
            customer_id = create_customer(session, actor, at=at, **values)
            set_values(session, actor, customer_id, own, at=at)
    if attempt.ok:
        st.toast("The customer is saved.", icon=":material/check:")
        st.query_params["id"] = str(customer_id)
        st.rerun()


@st.dialog("Edit customer", width="medium", icon=":material/edit:")
def _edit(profile: Profile, section: str, opening: str) -> None:
    actor = current_actor()
    # Read once for each opening: what somebody else saves meanwhile must meet the version of that moment.
    key = f"own-values-{opening}"
    if key not in st.session_state:
        with reading() as session:
            st.session_state[key] = attribute_data.values(session, profile.customer_id)
    sent = _form(profile.fields, st.session_state[key], section, opening, "Save changes")
    if sent is None:
        return
    values, own = sent
    with shown() as attempt:
        at = now()
        with writing() as session:
            changed = update_customer(
                session, actor, profile.customer_id, version=profile.version, at=at, **values
            )
            changed += set_values(
                session, actor, profile.customer_id, own, version=profile.version + bool(changed), at=at
            )
    if attempt.ok:
        st.toast("The changes are saved." if changed else "Nothing was changed.", icon=":material/check:")
        st.rerun()


@st.dialog("Delete this customer?", icon=":material/delete:")
def delete(profile: Profile) -> None:
    """Ask once, saying what will be lost, and delete."""
    actor = current_actor()
    st.markdown(
        f"**{literal(profile.name)}** disappears from every list, segment and audience, together with "
        f"their profile and timeline ({profile.orders:,} orders, {profile.visits:,} visits). "
        "There is no way back. Sales and campaign results keep counting what they did."
    )
    with st.container(horizontal=True):
        confirmed = st.button(
            "Delete customer", type="primary", icon=":material/delete:", key="delete-confirmed"
        )
        if st.button("Keep", key="delete-cancelled"):
            st.rerun()
    if not confirmed:
        return
    with shown() as attempt:
        at = now()
        with writing() as session:
            delete_customer(session, actor, profile.customer_id, version=profile.version, at=at)
    if attempt.ok:
        st.toast(f"{literal(profile.name)} is deleted.", icon=":material/check:")
        st.query_params.pop("id", None)
        st.rerun()


def _form(
    present: dict, own: dict, section: str, opening: str, action: str
) -> tuple[dict, dict[int, object]] | None:
    """The form, filled with the present values; what it holds when it was sent, else None.

    Two parts: the customer's columns, and the workspace's own fields by attribute id.
    """
    place = workspace()
    today = local_day(place.now(), place.timezone)
    with reading() as session:
        definitions = attribute_data.definitions(session)

    def text(label: str, name: str, **options) -> str:
        return st.text_input(
            label,
            value=present.get(name) or "",
            max_chars=TEXTS[name][1],
            key=f"customer-{name}-{opening}",
            autocomplete="off",
            **options,
        )

    def day(label: str, name: str) -> date | None:
        return st.date_input(
            label,
            value=present.get(name),
            min_value=date(1900, 1, 1),
            max_value=max(today, present.get(name) or today),
            format="YYYY-MM-DD",
            key=f"customer-{name}-{opening}",
        )

    with st.form(f"customer-form-{opening}", border=False, enter_to_submit=False):
        values: dict[str, object] = {}
        with st.grid(columns=2, min_column_width=220):
            values["first_name"] = text("First name", "first_name")
            values["last_name"] = text("Last name", "last_name")
            values["email"] = text("E-mail", "email", placeholder="name@example.com")
            values["phone"] = text("Phone", "phone", placeholder="+49 170 1234567")
        st.caption("At least one of first name, last name, e-mail or external id.")
        st.markdown("**They allow messages by**")
        with st.grid(columns=4, min_column_width=110):
            for channel in Channel:
                name = f"consent_{channel}"
                values[name] = st.checkbox(
                    channel.label, value=bool(present.get(name)), key=f"customer-{name}-{opening}"
                )
        with st.expander("Address and dates"), st.grid(columns=3, min_column_width=150):
            values["city"] = text("City", "city")
            values["postal_code"] = text("Postal code", "postal_code")
            values["country"] = text("Country", "country", placeholder="US", help="Two capital letters.")
            values["birth_date"] = day("Date of birth", "birth_date")
            values["joined_on"] = day("Customer since", "joined_on")
            values["external_id"] = text(
                "External id", "external_id", help="Their number in the shop or another system."
            )
        with st.expander("Household"), st.grid(columns=3, min_column_width=150):
            values["gender"] = _gender(present.get("gender"), opening)
            for name, label in _MORE.items():
                values[name] = text(label, name)
        own_values: dict[int, object] = {}
        if len(definitions):
            with (
                st.expander("Own fields", expanded=section == "fields"),
                st.grid(columns=2, min_column_width=220),
            ):
                own_values = attribute_editor.inputs(definitions, own, opening)
        sent = st.form_submit_button(action, type="primary", icon=":material/check:", key=f"save-{opening}")
    return (values, own_values) if sent else None


def _gender(present: str | None, opening: str) -> str | None:
    choices = list(dict.fromkeys([*_GENDERS, *([present] if present else [])]))
    return st.selectbox(
        "Gender",
        choices,
        index=choices.index(present) if present else None,
        format_func=lambda gender: literal(gender.capitalize() if gender in _GENDERS else gender),
        placeholder="Not known",
        key=f"customer-gender-{opening}",
    )
