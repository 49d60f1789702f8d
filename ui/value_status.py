"""Where the value models stand: no scores yet, too little to learn from, or not to be relied on."""

from datetime import datetime
from typing import Any, NamedTuple

import streamlit as st

from ma.analytics.cohorts import first_purchase
from ma.clock import local_day
from ma.errors import Conflict
from ma.services.scoring import score_customers
from ma.types import Actor, Permission
from ui import session
from ui.customer_facts import shown_day
from ui.errors import shown
from ui.links import link
from ui.page import current_actor
from ui.session import now, reading, workspace
from ui.text import literal

# What the address calls a tab -> its label.
TABS = {"value": "Value", "rfm": "RFM segments", "model": "Model", "what-if": "What-if"}
BADGES = {
    "good": ("The check holds", ":material/check:", "green"),
    "uncertain": ("Uncertain", ":material/warning:", "orange"),
    "unfit": ("Not fitted", ":material/block:", "gray"),
}


class Opened(NamedTuple):
    """The tab that is open, and where it draws."""

    name: str
    place: Any


def tabs() -> Opened:
    """Draw the tabs; which one is open stands in the address."""
    names = dict(zip(TABS.values(), TABS, strict=True))
    asked = TABS.get(st.query_params.get("tab", ""), TABS["value"])

    def remember() -> None:
        name = names.get(st.session_state.get("value-tab", ""), "value")
        if name == "value":
            st.query_params.pop("tab", None)
        else:
            st.query_params["tab"] = name

    drawn = st.tabs(list(TABS.values()), default=asked, key="value-tab", on_change=remember)
    for name, tab in zip(TABS, drawn, strict=True):
        if tab.open:
            return Opened(name, tab)
    return Opened("value", drawn[0])


def nothing_yet(actor: Actor, as_of: datetime) -> None:
    """Nobody was ever scored: what this is, and the way on."""
    with reading() as reader:
        begun = first_purchase(reader, as_of=as_of) is not None
    if not begun:
        st.info(
            "**No purchases yet.** This page shows what customers are expected to bring, from how often and "
            "how recently they bought. It fills with the orders you import.",
            icon=":material/savings:",
        )
        if actor.may(Permission.IMPORT):
            link("files", "Import purchases from a file", icon=":material/upload:")
        return
    st.info(
        "**Customers have not been scored yet.** It happens once a day by itself; it takes some seconds.",
        icon=":material/savings:",
    )
    fit_button(actor, "Score customers now", primary=True)


def warn(model: dict, tab: str) -> None:
    """The warning above everything that the models say, where they are not to be relied on."""
    if model["status"] == "good" or tab == "model":
        return
    problems = " ".join(literal(problem) for problem in model["problems"])
    if model["status"] == "uncertain":
        st.warning(f"**These figures are uncertain.** {problems}", icon=":material/warning:")
    elif tab == "rfm":
        st.info(
            f"**No value is predicted**, so only what customers did is shown here. {problems}",
            icon=":material/info:",
        )


def unfit(model: dict, what: str) -> bool:
    """Whether nothing is predicted; says so in place of `what`, with what is there instead."""
    if model["status"] != "unfit":
        return False
    problems = " ".join(literal(problem) for problem in model["problems"])
    st.info(f"**{what} cannot be told yet.** {problems}", icon=":material/info:")
    st.caption("The RFM segments need no model: they are in the tab beside this one.")
    return True


def fit_button(actor: Actor, label: str, *, primary: bool = False) -> None:
    """The button that fits the models anew and scores everybody, for those who may."""
    if not actor.may(Permission.EDIT_CUSTOMERS):
        st.caption("Whoever may edit customers (role marketer or admin) can do it here at once.")
        return
    kind = "primary" if primary else "secondary"
    if not st.button(label, icon=":material/refresh:", key="fit-again", type=kind):
        return
    bar = st.progress(0.0, text="Beginning")
    with shown() as attempt:
        try:
            scored = score_customers(
                session.database(),
                current_actor(),
                at=now(),
                progress=lambda share, words: bar.progress(share, text=f"{words} …"),
            )
            told = f"{scored:,} customers scored."
        except Conflict:
            # As where the daily scoring ended a moment before.
            told = "Somebody else scored the customers at the same time. These are their scores."
    bar.empty()
    if attempt.ok:
        st.toast(told, icon=":material/check:")
        st.rerun()


def source(model: dict, *more: str) -> str:
    """The caption under what the models say: as of when, by which model, of whom."""
    place = workspace()
    words = [
        f"As of {shown_day(local_day(model['as_of'], place.timezone))}, model {model['id']}",
        f"{model['customers']:,} customers who bought, {model['repeat_customers']:,} on more than one day",
        *more,
    ]
    return " · ".join(words) + "."
