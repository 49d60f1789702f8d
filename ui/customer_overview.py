"""The first tab of a customer: what they spend on, who they are, the workspace's own fields, segments."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import attributes as attribute_data
from ma.analytics import profile as profiles
from ma.analytics.profile import Profile
from ma.analytics.workspace import WorkspaceInfo
from ma.charts import customers as charts
from ma.clock import local_day
from ma.types import Actor, Permission
from ui import attribute_editor, customer_form, customer_value, next_action_card, picture
from ui.customer_facts import facts, place_of, shown_day
from ui.export import export_button
from ui.links import link
from ui.session import reading
from ui.text import literal


def show(actor: Actor, profile: Profile, as_of: datetime, place: WorkspaceInfo) -> None:
    """Draw the tab."""
    one = {"customer_id": profile.customer_id, "as_of": as_of}
    with reading() as session:
        months = profiles.spend_by_month(session, **one)
        categories = profiles.spend_by_category(session, **one)
        segments = profiles.customer_segments(session, **one)
        definitions = attribute_data.definitions(session)
        values = attribute_data.values(session, profile.customer_id)
    left, right = st.columns([5, 3], gap="medium")
    with left:
        customer_value.show(profile.customer_id, as_of, place)
        next_action_card.draw(profile.customer_id, as_of)
        _spending(profile.customer_id, months, categories, place.currency)
        _segments(segments, place.timezone)
    with right:
        _about(profile)
        _own_fields(actor, profile, definitions, values)


def _spending(customer_id: int, months: pd.DataFrame, categories: pd.DataFrame, currency: str) -> None:
    with st.container(border=True):
        if months.empty:
            st.markdown("**Spending by month**")
            st.caption("No orders yet. Their spending appears here with the first one.")
            return
        _head("Spending by month", "refunds taken off", "customer_spend_by_month", customer_id)
        picture.chart(charts.spend_by_month(months, currency=currency), key="spend-by-month")
    if categories.empty:
        return
    with st.container(border=True):
        _head("Spending by category", "refunds taken off", "customer_spend_by_category", customer_id)
        figure = charts.spend_by_category(categories, currency=currency)
        picture.chart(figure, key="by-category", file="spend-by-category")


def _head(title: str, unit: str, frame: str, customer_id: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{title}** :gray[{unit}]")
        st.space("stretch")
        export_button(frame, key=f"export-{frame}", customer_id=customer_id)


def _about(profile: Profile) -> None:
    fields = profile.fields
    rows = {
        "Age": profile.age,
        "Age band": fields["age_band"],
        "Gender": fields["gender"] and fields["gender"].capitalize(),
        "Income band": fields["income_band"],
        "Home": fields["home_ownership"],
        "Marital status": fields["marital_status"],
        "Household": fields["household_composition"],
        "Household size": fields["household_size"],
        "Kids": fields["kids"],
        "Address": ", ".join(str(v) for v in (fields["postal_code"], place_of(fields)) if v),
        "Customer since": fields["joined_on"] and shown_day(fields["joined_on"]),
        "Favourite category": profile.favourite_category,
        "Devices": ", ".join(profile.devices),
    }
    known = {label: value for label, value in rows.items() if value not in (None, "")}
    unknown = [label.lower() for label in rows if label not in known]
    with st.container(border=True):
        st.markdown("**About**")
        if known:
            facts(known)
        if unknown:
            st.caption(f"Not known: {', '.join(unknown)}.")


def _own_fields(actor: Actor, profile: Profile, definitions: pd.DataFrame, values: dict) -> None:
    """What the workspace itself wants to know about people; nothing at all for readers of one without."""
    may_edit = actor.may(Permission.EDIT_CUSTOMERS)
    if definitions.empty and not may_edit:
        return
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Own fields**", width="content")
            st.space("stretch")
            if (
                may_edit
                and len(definitions)
                and st.button("Fill in", icon=":material/edit:", type="tertiary", key="edit-own-fields")
            ):
                customer_form.edit(profile, section="fields")
        if definitions.empty:
            st.caption("Fields that only you need, such as a membership level or a renewal date.")
        else:
            facts(
                {
                    row.name: attribute_editor.shown_value(row.kind, values.get(row.attribute_id))
                    for row in definitions.itertuples()
                }
            )
        if may_edit:
            attribute_editor.manage_button()


def _segments(segments: pd.DataFrame, timezone: str) -> None:
    with st.container(border=True):
        st.markdown("**Segments**")
        if segments.empty:
            st.caption("In no segment at the last refresh.")
        for row in segments.itertuples():
            with st.container(horizontal=True, vertical_alignment="center"):
                link("segments", literal(row.name), icon=":material/filter_alt:", id=row.segment_id)
                st.space("stretch")
                st.caption(f"since {shown_day(local_day(row.entered_at, timezone))}", width="content")
