"""One customer's next best action: what to send them, why, and what stands in the way of other channels."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics.customer_scores import score_of
from ma.charts.next_actions import label
from ma.charts.theme import CHANNEL_LABELS
from ma.errors import NotFound
from ma.services import next_actions
from ma.services.next_actions import Choice
from ui import next_action_kept
from ui.next_action_words import SOURCES, each
from ui.session import reading, workspace
from ui.text import literal

_BARRED = {
    "consent": "Not agreed",
    "address": "No address",
    "left": "Opted out, or bounced",
    "limit": "Enough messages this week",
    "price": "Cost unknown",
    "loss": "Costs more than it brings",
}


def draw(customer_id: int, as_of: datetime) -> None:
    """Draw the card, as things are at `as_of`; nothing for a customer who was not scored yet."""
    with reading() as session:
        score = score_of(session, customer_id)
    if score is None:
        return
    stands = next_action_kept.ground(score["model_version"], score["scored_at"])
    try:
        with reading() as session:
            choice = next_actions.reason(session, customer_id, at=as_of, stands=stands)
    except NotFound:
        return
    currency = workspace().currency
    with st.container(border=True, key="next-action-card"):
        st.markdown("**Next best action** :gray[expected of one message, beyond what they buy anyway]")
        _action(choice, currency)
        st.caption(literal(choice.why))
        if choice.why_offer:
            st.caption(literal(choice.why_offer))
        _channels(choice, currency)
        _source(choice, score)


def _action(choice: Choice, currency: str) -> None:
    if choice.channel is None:
        st.markdown(":material/do_not_disturb_on: Send nothing for now")
        return
    offer = literal(choice.offer) if choice.offer else "any offer"
    profit = literal(each(choice.profit_minor, currency))
    st.markdown(
        f"### {literal(choice.channel.label)} · {offer}\n{profit} expected extra profit", width="stretch"
    )


def _channels(choice: Choice, currency: str) -> None:
    table = choice.channels.sort_values("profit_minor", ascending=False, na_position="last")
    barred = [
        _BARRED[word] if word else "Chosen" if channel == choice.channel else "Open, earns less"
        for word, channel in zip(table["barred"], table["channel"], strict=True)
    ]
    st.dataframe(
        pd.DataFrame(
            {
                "Channel": table["channel"].map(CHANNEL_LABELS),
                "": barred,
                "Extra profit": [each(value, currency) for value in table["profit_minor"]],
                "Extra revenue": [each(value, currency) for value in table["revenue_minor"]],
                "Cost": [each(value, currency) for value in table["cost_minor"]],
                "Orders per 1,000": (1_000.0 * table["conversions"]).round(2),
            }
        ),
        hide_index=True,
        placeholder="–",
        column_config={
            "Orders per 1,000": st.column_config.NumberColumn(
                format="%.2f", help="Extra orders expected of a thousand messages to people like this one."
            )
        },
    )


def _source(choice: Choice, score: dict) -> None:
    """Where the expectation of the best channel (or of all) comes from."""
    table = choice.channels
    if choice.channel is not None:
        table = table[table["channel"] == choice.channel]
    sources = list(dict.fromkeys(table["source"]))
    words = ", ".join(SOURCES.get(source, source) for source in sources)
    price = table.iloc[0]["priced_by"] if choice.channel is not None else None
    paid = f" Cost as in “{literal(price)}”." if isinstance(price, str) else ""
    st.caption(
        f"Rates from {words}, as of the last scoring ({score['scored_at']:%d %b %Y}).{paid} A campaign's "
        f"fixed cost is not in it.{_before(choice, score)}"
    )


def _before(choice: Choice, score: dict) -> str:
    """What the scoring said, where that is no longer so: lists and segments have it until the next one."""
    if (score["next_channel"], score["next_offer"]) == (choice.channel, choice.offer):
        return ""
    if score["next_channel"] is None:
        return " The last scoring had no action for them."
    return f" At the last scoring it was {literal(label(score['next_channel'], score['next_offer']))}."
