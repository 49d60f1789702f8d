"""What came of a campaign beside what would have come of it: in words, cards, pictures and figures."""

from datetime import timedelta

import pandas as pd
import streamlit as st

from ma.charts import replay as charts
from ma.charts import theme
from ma.charts.campaigns import STEPS
from ma.money import amount
from ma.services.replays import CHANGEABLE, Replay
from ui import picture
from ui.export import export_button, python_lines
from ui.text import literal

# Fewer people who buy otherwise are too few for the interval.
_ENOUGH = 10
# What changes no purchase.
_COST_ALONE = ("cost_per_thousand_minor", "fixed_cost_minor")


def draw(found: Replay, change: str, words: str, currency: str) -> None:
    """Draw a replay; `change` as it is in the address, `words` the same for people."""
    table = found.table
    if not change:
        st.info(
            "This is the campaign as it was, run again. Change something above and replay it: the same "
            "people, the same luck.",
            icon=":material/replay:",
        )
    else:
        st.markdown(f"**{literal(words)}**: {_verdict(table, currency)}{_rare(found)}")
    _cards(found, currency, changed=bool(change))
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.markdown("**Funnel**: as it was (pale) and with the change" if change else "**Funnel**")
        picture.chart(charts.funnels(table), key="replay-funnel")
        st.caption("People. Converted: led by the message; who would have bought anyway is not in it.")
    with right, st.container(border=True, height="stretch"):
        if change:
            st.markdown("**Differences in people**, with their 95 % intervals")
            picture.chart(charts.people(table), key="replay-people")
        else:
            st.markdown("**How well it is known again**")
            _agreement(found)
    if change:
        left, right = st.columns(2, gap="medium")
        with left, st.container(border=True, height="stretch"):
            st.markdown("**Differences in money**, with their 95 % intervals")
            picture.chart(charts.money(table, currency=currency), key="replay-money")
            if table.loc["cost_minor", ["base", "changed"]].isna().any():
                st.caption("Cost and profit are unknown: enter the cost in “Cost and time”.")
        with right, st.container(border=True, height="stretch"):
            _how_sure(found, table)
    _figures(found, table, change, currency)
    if found.waterfall is not None:
        _waterfall(found)


def _cards(found: Replay, currency: str, *, changed: bool) -> None:
    table = found.table
    known = not table.loc["cost_minor", ["base", "changed"]].isna().any()
    name = "profit_minor" if known else "revenue_minor"
    label = charts.FIGURES[name]
    row, gain = table.loc[name], table.loc[_headline(table)]

    def card(label: str, value: str, beside: str | None, help: str) -> None:
        st.metric(
            label, value, delta=beside, delta_color="off", delta_arrow="off", help=help, height="stretch"
        )

    with st.grid(columns=4 if changed else 2, border=True, min_column_width=190):
        card(
            f"{label}, as it was",
            _money(row["base"], currency),
            f"ROI {theme.percent(table.loc['roi', 'base'], 0)}",
            "Of the people who were sent it, organic conversions included, as on the campaign's own screen.",
        )
        if not changed:
            card("Sent to", f"{table.loc['sent', 'base']:,.0f}", None, "People, so far.")
            return
        card(
            f"{label}, with the change",
            _money(row["changed"], currency),
            f"ROI {theme.percent(table.loc['roi', 'changed'], 0)}",
            "Of the people who would have been sent it, on the same luck.",
        )
        card(
            "The change adds",
            _signed(gain["difference"], currency),
            f"95 %: {_signed(gain['low'], currency)} to {_signed(gain['high'], currency)}",
            "Over everybody in either version, sent it or not: what people would have bought anyway counts "
            "on both sides, so this is what the change itself brings.",
        )
        times, rare = gain["times"], bool(_rare(found))
        card(
            "Same luck is worth",
            "–" if rare or times != times else _times(times),
            "too few buy otherwise" if rare else "as many people" if times == times else "luck plays no part",
            "Two launches with luck of their own differ by luck too. To see the difference as sharply, they "
            "would need so many times as many people (ratio of the variances).",
        )


def _verdict(table: pd.DataFrame, currency: str) -> str:
    name = _headline(table)
    row = table.loc[name]
    what = "profit" if "profit" in name else "revenue"
    if row["low"] == row["high"] == 0.0:
        return f"no difference in {what}."
    size = f"{_money(abs(row['difference']), currency)} {'more' if row['difference'] > 0 else 'less'} {what}"
    if row["low"] == row["high"]:
        return f"**{size}**, whatever the luck."
    band = f"(95 %: {_signed(row['low'], currency)} to {_signed(row['high'], currency)})"
    if row["low"] <= 0.0 <= row["high"]:
        return f"{size} on this luck, but other luck could turn it {band}."
    return f"**{size}** {band}."


def _rare(found: Replay) -> str:
    """A warning where the change moves so few purchases that their luck decides everything."""
    differ = int(found.table.loc["everybody_revenue_minor", "differ"])
    cost_alone = all(
        found.changed[name] == found.campaign[name] for name in CHANGEABLE if name not in _COST_ALONE
    )
    if differ >= _ENOUGH or cost_alone:
        return ""
    who = "Nobody buys" if differ == 0 else f"Only {differ} {'person buys' if differ == 1 else 'people buy'}"
    return (
        f"  \n:orange[:material/warning: {who} otherwise on this luck: too few to tell what the change "
        "brings on average, and the interval is too narrow.]"
    )


def _headline(table: pd.DataFrame) -> str:
    """What the change adds over everybody: profit, or revenue where a cost is unknown."""
    known = table.loc["everybody_profit_minor", "difference"]
    return "everybody_profit_minor" if known == known else "everybody_revenue_minor"


def _how_sure(found: Replay, table: pd.DataFrame) -> None:
    st.markdown("**How sure this is**")
    counts = found.counts
    both, only, more, neither = (counts[name] for name in ("both", "base only", "changed only", "neither"))
    st.markdown(
        f"- {both:,} people are sent it in both versions, {only:,} only as it was, {more:,} only with the "
        f"change, {neither:,} in neither. Who is not sent it counts with what they buy anyway.\n"
        "- Everybody has the same luck in both, so what differs is due to the change. Each interval covers "
        "the luck of who does what, among people like these; **not** how well the assumptions are known: "
        "the simulator, its rates and the effects you typed are taken as they are."
    )
    _agreement(found)


def _agreement(found: Replay) -> None:
    agreement, reckoning = found.agreement, found.reckoning
    if agreement.exact:
        st.caption(
            f":material/check_circle: Run again unchanged, all {agreement.people:,} people do exactly what "
            "is stored."
        )
    else:
        share = theme.percent(agreement.share, 1 if agreement.share < 0.999 else 2)
        st.caption(
            f":material/info: Run again unchanged, {agreement.same:,} of {agreement.people:,} people "
            f"({share}) do exactly what is stored. {_reason(found)} Both versions are run from the same "
            "figures; “Stored” in the table has what really was."
        )
    if reckoning is None:
        return
    then = "unknown" if reckoning.then is None else f"{reckoning.then:,}"
    words = f"Its segment had {then} people at the launch; {reckoning.found:,} are found again"
    if reckoning.barred:
        words += (
            f", {reckoning.barred:,} of them were not sent it although nothing that is kept says why: they "
            "stay out of both versions"
        )
    if reckoning.present:
        words += f". With their present value: {', '.join(map(literal, reckoning.present))}"
    st.caption(f":material/group: {words}.")


def _reason(found: Replay) -> str:
    if found.agreement.older:
        return "The simulator has changed since."
    if found.agreement.rebuilt:
        return "Profile figures (engagement, orders) were rebuilt since the launch and are derived again."
    return "What was known of some people has changed since."


def _figures(found: Replay, table: pd.DataFrame, change: str, currency: str) -> None:
    shown = pd.DataFrame({"Figure": [charts.FIGURES[name] for name in table.index]})
    columns = {} if found.agreement.exact else {"stored": "Stored"}
    columns |= {"base": "As it was"} | ({"changed": "With the change"} if change else {})
    for column, label in columns.items():
        shown[label] = [_exact(name, value, currency) for name, value in table[column].items()]
    if change:
        shown["Difference"] = [_exact(n, v, currency, signed=True) for n, v in table["difference"].items()]
        shown["95 % interval"] = [
            "–"
            if row.low != row.low
            else "nobody differs"
            if row.differ == 0 and row.difference == 0
            else f"{_exact(row.Index, row.low, currency, signed=True)} to "
            f"{_exact(row.Index, row.high, currency, signed=True)}"
            for row in table.itertuples()
        ]
        shown["Same luck is worth"] = ["–" if v != v else f"{_times(v)} the people" for v in table["times"]]
    st.dataframe(shown, hide_index=True, height="content")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"Up to {found.as_of:%d %b %Y, %H:%M} UTC{_still_open(found)}. Converted, revenue and profit are "
            "of the people sent it, within the conversion window; the last rows are of everybody in either "
            "version."
        )
        st.space("stretch")
        made = {
            name: found.changed[name] for name in CHANGEABLE if found.changed[name] != found.campaign[name]
        }
        export_button(
            "replay",
            campaign_id=found.campaign["id"],
            change=change,
            key="export-replay",
            code=python_lines("replay", campaign_id=found.campaign["id"], **made),
        )


def _still_open(found: Replay) -> str:
    """That figures will grow, while the conversion window of either version is open."""
    campaign = found.campaign
    window = max(campaign["conversion_window_days"], found.changed["conversion_window_days"])
    over = campaign["launched_at"] + timedelta(days=window + campaign["waves_sent"])
    return "" if over <= found.as_of else ", its conversion window is still open: figures will grow"


def _waterfall(found: Replay) -> None:
    with st.container(border=True):
        st.markdown("**Who would have been eligible**, step by step, as of the launch")
        steps = found.waterfall.assign(step=found.waterfall["step"].map(lambda step: STEPS.get(step, step)))
        steps.columns = ["People left", "As it was", "With the change"]
        st.dataframe(
            steps,
            hide_index=True,
            placeholder="–",
            column_config={
                name: st.column_config.NumberColumn(name, format="%,d")
                for name in ("As it was", "With the change")
            },
        )


def _exact(name: str, value: float, currency: str, *, signed: bool = False) -> str:
    if value != value:
        return "–"
    plus = "+" if signed and value > 0 else ""
    if name == "roi":
        return f"{plus}{value * 100:,.0f} pp" if signed else theme.percent(value, 0)
    return plus + (amount(value, currency) if name.endswith("_minor") else f"{value:,.0f}")


def _money(value: float, currency: str) -> str:
    return literal(theme.compact_money(value, currency))


def _signed(value: float, currency: str) -> str:
    return ("+" if value > 0 else "") + _money(value, currency)


def _times(value: float) -> str:
    if value >= 1_000:
        return ">1,000×"
    return f"{value:,.0f}×" if value >= 10 else f"{value:.2g}×"
