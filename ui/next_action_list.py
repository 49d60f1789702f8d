"""Everybody's next best actions: what they should earn, by channel and offer, and the way to a campaign."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import next_actions as analytics
from ma.charts import next_actions as charts
from ma.charts.theme import CHANNEL_LABELS, compact, compact_money, percent
from ma.types import Actor, Channel
from ui import next_action_draft, next_action_kept, tables
from ui.export import export_button
from ui.forecast_words import chance_of
from ui.links import link
from ui.next_action_words import SOURCES
from ui.picture import chart
from ui.session import reading, workspace
from ui.text import literal


def draw(actor: Actor, as_of: datetime) -> None:
    """Draw the sums, the bars, the table and what can be done with an action."""
    with reading() as session:
        scored, chosen, scored_at = analytics.scored(session, as_of=as_of)
        frame = analytics.next_actions(session, as_of=as_of)
        prices = analytics.prices(session, as_of=as_of)
    if not scored:
        st.info(
            "**Nobody has been scored yet.** Scoring works out for each customer which message should earn "
            "most. It runs once a day, and can be started on the page Customer value.",
            icon=":material/hourglass_empty:",
        )
        link("value", "Score the customers")
        return
    if frame.empty:
        _nothing(prices, scored_at)
        return
    currency = workspace().currency
    outlook = next_action_kept.outlook(as_of)
    _cards(frame, scored, chosen, outlook, currency)
    _bars(frame, currency)
    _table(frame, currency)
    next_action_draft.draw(actor, frame, prices)
    _notes(outlook, prices, scored_at)


def _nothing(prices: dict, scored_at: datetime) -> None:
    if not prices:
        st.info(
            "**What a message costs is unknown.** An action is chosen by what it should earn beyond its "
            "cost. Launch a campaign with a cost per thousand: from the next scoring on its channel is among "
            "those to choose from.",
            icon=":material/payments:",
        )
        link("campaigns", "Plan a campaign")
        return
    labels = ", ".join(channel.label for channel in prices)
    st.info(
        f"**No message is expected to earn more than it costs**, in the channels whose cost is known "
        f"({labels}), to anybody who may be sent one. As of {scored_at:%d %b %Y, %H:%M} UTC.",
        icon=":material/do_not_disturb_on:",
    )


def _cards(frame: pd.DataFrame, scored: int, chosen: int, outlook, currency: str) -> None:
    total = float(frame["profit_minor"].sum())
    with st.grid(columns=4, border=True, min_column_width=150):
        st.metric(
            "People with a next action",
            compact(chosen),
            f"{percent(chosen / scored)} of {compact(scored)}",
            delta_color="off",
            delta_arrow="off",
            help=f"{chosen:,} of {scored:,} customers: a message that they may be sent should earn more than "
            "it costs.",
            height="stretch",
        )
        low, high = outlook.interval
        st.metric(
            "Expected extra profit",
            literal(compact_money(total, currency)),
            f"8 in 10 cases: {literal(compact_money(low, currency))} to "
            f"{literal(compact_money(high, currency))}"
            if outlook.people
            else None,
            delta_color="off",
            delta_arrow="off",
            help="Of one message to each of them: the revenue that it causes, beyond what they buy anyway, "
            "less its cost. Revenue, not margin; fixed costs of campaigns are not in it. The range is of "
            f"{len(outlook.draws):,} draws of everything believed, for the {outlook.people:,} who can be "
            "sent theirs now.",
            height="stretch",
        )
        st.metric(
            "Per 1,000 messages",
            literal(compact_money(1_000.0 * total / chosen, currency)),
            help="Expected extra profit ÷ people × 1,000.",
            height="stretch",
        )
        st.metric(
            "Chance of a loss",
            chance_of(outlook.chance_of_loss) if outlook.people else "–",
            help="How likely all these messages together cause less revenue than they cost.",
            height="stretch",
        )
    if outlook.gone:
        st.caption(
            f"{outlook.gone:,} of them cannot be sent their message any more: since they were scored they "
            f"unsubscribed, lost their consent or had {analytics.FREQUENCY_CAP} messages within "
            f"{analytics.FREQUENCY_DAYS} days."
        )


def _bars(frame: pd.DataFrame, currency: str) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            unit = tables.symbol(currency).strip().replace("$", r"\$")
            st.markdown(f"**Expected extra profit by channel and offer**, in {unit}, and people")
            st.space("stretch")
            export_button("next_actions")
        chart(charts.profits(frame, currency=currency), key="next-actions")


def _table(frame: pd.DataFrame, currency: str) -> None:
    table = tables.major(
        frame.assign(
            channel=frame["channel"].map(CHANNEL_LABELS),
            thousand_minor=1_000.0 * frame["each_minor"],
        ),
        ["profit_minor", "thousand_minor"],
        currency=currency,
    )
    st.dataframe(
        table[["channel", "offer", "people", "profit", "thousand"]],
        hide_index=True,
        placeholder="Any offer",
        height=min(35 * len(table) + 38, 388),
        column_config={
            "channel": st.column_config.TextColumn("Channel", pinned=True),
            "offer": "Offer",
            "people": tables.count("People"),
            "profit": tables.money("Expected extra profit", currency),
            "thousand": tables.money("Per 1,000 messages", currency),
        },
    )


def _notes(outlook, prices: dict, scored_at: datetime) -> None:
    words = [f"As of the last scoring, {scored_at:%d %b %Y, %H:%M} UTC"]
    for row in outlook.channels.itertuples():
        source = SOURCES.get(row.source, row.source)
        words.append(f"{CHANNEL_LABELS[row.channel]}: rates from {source}, cost as in “{row.priced_by}”")
    unpriced = [channel.label for channel in Channel if channel not in prices]
    if unpriced:
        words.append(f"not among them, since the cost of a message is unknown: {', '.join(unpriced)}")
    words.append(
        "each person's best channel only, one message each; an offer does not change what is expected"
    )
    st.caption(literal(" · ".join(words)) + ".")
