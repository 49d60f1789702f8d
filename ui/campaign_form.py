"""The form of a campaign: everything a marketer decides before the launch."""

import pandas as pd
import streamlit as st

from ma.analytics import segments as segment_list
from ma.money import symbol, unit
from ma.services import campaigns
from ma.types import Actor, Channel, Permission
from ui.errors import shown
from ui.page import current_actor
from ui.session import now, reading, workspace, writing

# Within this many days most responses have come; post takes longer.
USUAL_WINDOW = {Channel.EMAIL: 7, Channel.SMS: 7, Channel.PUSH: 7, Channel.DIRECT_MAIL: 30}
# What sending a thousand costs where nobody has said otherwise: a start, to be replaced by the real price.
USUAL_COST = {Channel.EMAIL: 1.0, Channel.SMS: 45.0, Channel.PUSH: 0.5, Channel.DIRECT_MAIL: 650.0}
_OPENED = "opened-campaign-"


def create(actor: Actor) -> None:
    """Draw the empty form; saving it opens the new campaign."""
    if not actor.may(Permission.EDIT_CAMPAIGNS):
        st.error("Your role may read campaigns but not create them. Ask an admin for the role marketer.")
        return
    with reading() as session:
        segments = segment_list.segments(session, as_of=now())
    if segments.empty:
        st.info("A campaign goes to a segment, and there is none yet. Build a segment first.")
        return
    channel = _channel(Channel.EMAIL, "new")
    values = _fields({}, channel, segments)
    if values is None:
        return
    with shown() as attempt, writing() as session:
        campaign_id = campaigns.create_campaign(session, current_actor(), at=now(), **values)
    if attempt.ok:
        st.toast("The draft is saved.", icon=":material/check:")
        st.query_params["id"] = str(campaign_id)
        st.rerun()


def edit(campaign: dict) -> None:
    """Draw the form of a draft; saving it keeps it a draft.

    The form stands for the version that was opened: what somebody else saved meanwhile is not overwritten.
    """
    opened_key = f"{_OPENED}{campaign['id']}"
    opened = st.session_state.setdefault(opened_key, campaign)
    with reading() as session:
        segments = segment_list.segments(session, as_of=now())
    if opened["version"] != campaign["version"]:
        st.warning("Somebody else has saved this draft since you opened it.", icon=":material/group:")
        if st.button("Load what they saved", icon=":material/refresh:", key="load-saved"):
            del st.session_state[opened_key]
            st.rerun()
    channel = _channel(Channel(opened["channel"]), f"{opened['id']}-{opened['version']}")
    values = _fields(opened, channel, segments)
    if values is None:
        return
    with shown() as attempt, writing() as session:
        campaigns.update_campaign(
            session, current_actor(), campaign["id"], version=opened["version"], at=now(), **values
        )
    if attempt.ok:
        del st.session_state[opened_key]
        st.toast("Saved.", icon=":material/check:")
        st.rerun()


def leave() -> None:
    """Forget which versions were opened; called where no form is shown."""
    for key in [key for key in st.session_state if str(key).startswith(_OPENED)]:
        del st.session_state[key]


def _channel(default: Channel, form: str) -> Channel:
    # Outside the form: what else is asked depends on it.
    chosen = st.segmented_control(
        "Channel",
        list(Channel),
        format_func=lambda c: c.label,
        default=default,
        key=f"channel-{form}",
        required=True,
    )
    return chosen or default


def _fields(campaign: dict, channel: Channel, segments) -> dict | None:
    """Draw the fields; the values, in the units of the service, once the person saves."""
    currency = workspace().currency
    whole = unit(currency)
    names = dict(zip(segments["segment_id"], segments["name"], strict=True))
    sizes = dict(zip(segments["segment_id"], segments["size"], strict=True))
    ids = [int(i) for i in names]

    def money(name: str, usual: float) -> float | None:
        if not campaign:
            return usual
        minor = campaign[name]
        return None if minor is None else minor / whole

    def audience(segment_id: int) -> str:
        size = sizes[segment_id]
        return names[segment_id] + ("" if pd.isna(size) else f" ({int(size):,} people)")

    with st.form(f"campaign-{campaign.get('id', 'new')}-{campaign.get('version', 0)}", border=True):
        name = st.text_input("Name", campaign.get("name", ""), max_chars=100, placeholder="Spring newsletter")
        objective = st.text_input(
            "Objective", campaign.get("objective", ""), placeholder="What should it achieve, for whom?"
        )
        current = campaign.get("segment_id")
        segment_id = st.selectbox(
            "Segment",
            ids,
            index=ids.index(current) if current in ids else None,
            format_func=audience,
            placeholder="Who is it for?",
        )
        subject = ""
        if channel in (Channel.EMAIL, Channel.PUSH):
            label = "Subject" if channel is Channel.EMAIL else "Title"
            subject = st.text_input(label, campaign.get("subject", ""), max_chars=200)
        body = st.text_area(
            "Message",
            campaign.get("body", ""),
            height=120,
            help='Personal fields: {{ first_name | default: "there" }}, {{ last_name }}, {{ city }}.',
        )
        left, middle, right = st.columns(3)
        cost = left.number_input(
            f"Cost per thousand sent ({symbol(currency).strip()})",
            min_value=0.0,
            value=money("cost_per_thousand_minor", USUAL_COST[channel]),
            step=0.5,
            format="%.2f",
            placeholder="Unknown",
            help="Leave it empty where it is unknown: ROI is then unknown too.",
        )
        fixed = middle.number_input(
            f"Fixed cost ({symbol(currency).strip()})",
            min_value=0.0,
            value=money("fixed_cost_minor", 0.0),
            step=10.0,
            format="%.2f",
            placeholder="Unknown",
            help="What it costs however many it is sent to: design, agency, discount budget.",
        )
        window = right.number_input(
            "Conversion window (days)",
            min_value=1,
            max_value=90,
            value=campaign.get("conversion_window_days", USUAL_WINDOW[channel]),
            help="A purchase within so many days after sending counts for this campaign.",
        )
        holdout = left.number_input(
            "Holdout (%)",
            min_value=0.0,
            max_value=50.0,
            value=float(round(campaign.get("holdout_share", 0.0) * 100, 1)),
            step=1.0,
            format="%.1f",
            help="This share is not sent to, so that what the campaign caused can be told from what "
            "would have happened anyway.",
        )
        waves = middle.number_input(
            "Waves (days)",
            min_value=1,
            max_value=30,
            value=campaign.get("waves", 1),
            help="1 sends to everybody at once; 5 sends a fifth a day.",
        )
        if not st.form_submit_button("Save draft", type="primary", icon=":material/save:"):
            return None
    return {
        "name": name,
        "objective": objective,
        "channel": channel.value,
        "segment_id": segment_id,
        "subject": subject,
        "body": body,
        "cost_per_thousand_minor": None if cost is None else round(cost * whole),
        "fixed_cost_minor": None if fixed is None else round(fixed * whole),
        "conversion_window_days": int(window),
        "holdout_share": holdout / 100,
        "waves": int(waves),
    }
