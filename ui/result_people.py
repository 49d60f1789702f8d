"""Who stands behind a bar of the results: the list, its export, and a new segment of exactly these people."""

from datetime import datetime

import pandas as pd
import streamlit as st
from sqlalchemy.orm import Session

from ma.analytics import reached as people
from ma.analytics import roi as returns
from ma.analytics.breakdown import dimensions, group_label
from ma.analytics.catalogue import catalogue
from ma.analytics.reached import Asked
from ma.charts.theme import STEP_LABELS
from ma.errors import Exposed, InvalidRule
from ma.rules.check import parse
from ma.rules.to_english import english
from ma.services.segment_lists import add_members, create_static_segment
from ma.services.segments import LONGEST_NAME, create_segment, refresh_segment
from ma.settings import ROOT
from ma.text import whole_number
from ma.types import Actor, Permission
from ui import tables
from ui.errors import shown
from ui.export import export_button
from ui.page import current_actor
from ui.paging import Paging
from ui.session import now, reading, workspace, writing
from ui.text import literal

_AT_ONCE = 50
_WORDS = {
    "sent": "Were sent it",
    "delivered": "Received it",
    "opened": "Opened",
    "clicked": "Clicked",
    "converted": "Bought",
    "unsubscribed": "Unsubscribed",
}
_NOT = {
    "": "(everybody of them)",
    "delivered": "did not receive it",
    "opened": "did not open",
    "clicked": "did not click",
    "converted": "did not buy",
    "unsubscribed": "did not unsubscribe",
}


def way_back() -> dict[str, str]:
    """The address of the results that these people are of."""
    asked = st.query_params
    back = {name: asked[name] for name in ("campaigns",) if asked.get(name)}
    if asked.get("field"):
        back["only"] = f"{asked['field']}~{asked.get('value', '')}"
    return back


def show(actor: Actor) -> None:
    """Draw who is asked for in the address: campaigns, step, not, field and value."""
    place, as_of = workspace(), now()
    with reading() as session:
        launched = returns.roi(session, as_of=as_of)
    if launched.empty:
        st.info("**Nobody yet.** People appear here once a campaign is launched.", icon=":material/group:")
        return
    params = _params(launched)
    try:
        _choices(params)
        with reading() as session:
            who = people.asked(session, as_of=as_of, **params)
            with st.spinner("Finding people …", show_time=True):
                there, gone = people.people_count(session, who, as_of=as_of)
            title = _title(session, who, launched, as_of)
    except Exposed as error:
        st.error(literal(error), icon=":material/error:")
        return
    st.markdown(f"**{there:,} people** · {literal(title)}")
    _notes(who, gone)
    if there:
        _table(params, there, as_of, place.currency)
        _save(actor, who, there, title, as_of, place.currency)
    elif not gone:
        st.caption("Nobody did so far. Choose another step above, or go back to the results.")


def _params(launched: pd.DataFrame) -> dict:
    """What the address asks for, with campaigns that there are; without any of them, all."""
    known, asked = set(launched["campaign_id"]), st.query_params
    wanted = [whole_number(part) for part in asked.get("campaigns", "").split(",")]
    ids = [one for one in wanted if one in known]
    if asked.get("campaigns") and not ids:
        st.caption("The campaigns in the address are not there. These are the people of all campaigns.")
    return {
        "campaign_ids": ids or None,
        "step": asked.get("step", "sent"),
        "not_step": asked.get("not", ""),
        "field": asked.get("field", ""),
        "value": asked.get("value", ""),
    }


def _choices(params: dict) -> None:
    """The two steps can be changed here; the address follows."""

    def change() -> None:
        current_actor()
        st.query_params["step"] = st.session_state["reached-step"]
        if chosen := st.session_state["reached-not"]:
            st.query_params["not"] = chosen
        else:
            st.query_params.pop("not", None)

    if params["step"] not in _WORDS or params["not_step"] not in _NOT:
        return
    st.session_state["reached-step"], st.session_state["reached-not"] = params["step"], params["not_step"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "People who",
            list(_WORDS),
            format_func=_WORDS.get,
            key="reached-step",
            on_change=change,
            width=220,
        )
        st.selectbox("but", list(_NOT), format_func=_NOT.get, key="reached-not", on_change=change, width=220)


def _title(session: Session, who: Asked, launched: pd.DataFrame, as_of: datetime) -> str:
    """Who they are, in one line: Opened, did not buy · Country: DE · Newsletter."""
    words = [_WORDS[who.step] + (f", {_NOT[who.not_step]}" if who.not_step else "")]
    if who.field:
        label = group_label(session, launched, who.field, who.value, as_of=as_of)
        words.append(f"{dimensions(session)[who.field]}: {label}")
    names = launched[launched["campaign_id"].isin(who.campaign_ids)]["name"].tolist()
    if len(names) == len(launched):
        words.append("all campaigns")
    else:
        words.append(names[0] if len(names) == 1 else f"{len(names)} campaigns")
    return " · ".join(words)


def _notes(who: Asked, gone: int) -> None:
    """Who is not in the list, and why."""
    if who.blind:
        campaigns = "1 campaign is" if who.blind == 1 else f"{who.blind} campaigns are"
        st.caption(
            f"{campaigns} not in it: they cannot see one of these steps, or only their totals are known. "
            "Unknown is not “did not”."
        )
    if gone:
        person = "1 more was" if gone == 1 else f"{gone:,} more were"
        st.caption(f"{person} deleted since: they count in the results, and are in no list or segment.")


def _table(params: dict, there: int, as_of: datetime, currency: str) -> None:
    view = "-".join(str(value) for value in params.values())
    paging = Paging("page", there, _AT_ONCE, view=str(hash(view)))
    with reading() as session:
        page = people.reached(session, as_of=as_of, limit=paging.limit, offset=paging.offset, **params)
    st.dataframe(
        tables.major(page, ["revenue_minor"], currency=currency).assign(
            furthest=page["furthest"].map(STEP_LABELS | {"bounced": "Bounced"})
        )[["name", "email", "furthest", "campaigns", "sent_at", "converted_at", "revenue"]],
        hide_index=True,
        placeholder="–",
        column_config={
            "name": st.column_config.TextColumn("Name", pinned=True),
            "email": "E-mail",
            "furthest": "Furthest step",
            "campaigns": tables.count("Campaigns", help="In how many of these campaigns they did it."),
            "sent_at": tables.moment("First sent"),
            "converted_at": tables.moment("First bought"),
            "revenue": tables.money("Revenue", currency),
        },
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        paging.draw()
        st.space("stretch")
        filled = {name: value for name, value in params.items() if value not in (None, "")}
        if "field" in filled:
            filled["value"] = params["value"]
        export_button("reached", key="export-reached", **filled)
    st.caption(
        f"As of {as_of:%d %b %Y, %H:%M} UTC · each person once, however many campaigns · “bought” includes "
        "people who bought without the message leading them there; the funnel leaves those out."
    )


def _save(actor: Actor, who: Asked, there: int, title: str, as_of: datetime, currency: str) -> None:
    """A segment that chooses these people; what no rule can say becomes a list of them."""
    if not actor.may(Permission.EDIT_SEGMENTS):
        return
    try:
        with reading() as session:
            rule, known = people.rule(session, who, as_of=as_of), catalogue(session)
        node = parse(rule, known) if rule else None
    except InvalidRule as error:
        st.caption(f"No segment can be made of them: {literal(error)} Choose fewer campaigns.")
        return
    with st.container(border=True, key="reached-segment"):
        if node:
            st.markdown(f"**New segment** :gray[{there:,} people now; it follows what people do]")
            st.text(english(node, currency=currency, catalogue=known))
        else:
            st.markdown("**New list** :gray[no rule can say who they are, so it keeps these people]")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            name = st.text_input(
                "Name",
                value=_short(title),
                max_chars=LONGEST_NAME,
                key=f"reached-name-{hash(title)}",
                width=420,
            )
            pressed = st.button("Save as segment", type="primary", icon=":material/save:", key="reached-save")
    if pressed:
        _create(who, rule, name or _short(title))


def _create(who: Asked, rule: dict | None, name: str) -> None:
    with shown() as attempt, writing() as session:
        actor, at = current_actor(), now()
        if rule:
            segment_id = create_segment(session, actor, name=name, rule=rule, at=at)
            size = refresh_segment(session, actor, segment_id, at=at).size
        else:
            segment_id = create_static_segment(session, actor, name=name, at=at)
            size = add_members(session, actor, segment_id, people.chosen(session, who, as_of=at), at=at)
    if attempt.ok:
        st.toast(f"Saved. {size:,} customers.", icon=":material/check:")
        st.switch_page(str(ROOT / "pages" / "segments.py"), query_params={"id": str(segment_id)})


def _short(title: str) -> str:
    return title if len(title) <= LONGEST_NAME else title[: LONGEST_NAME - 1] + "…"
