"""All experiments: how many there are, how their conversion rates differ, and what each of them says."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import experiment_arms, experiments
from ma.analytics import experiment_verdicts as verdicts
from ma.charts import experiments as charts
from ui import picture, tables
from ui.export import export_button
from ui.links import link
from ui.session import reading, workspace

# Comparisons in the picture; the table and the export have all.
_MOST = 14
FINDINGS = {
    verdicts.NOBODY: "Nobody to compare",
    verdicts.SPLIT_ALARM: "Split not as planned",
    verdicts.OPEN: "Not over",
    verdicts.BETTER: "Better",
    verdicts.WORSE: "Worse",
    verdicts.NONE: "No difference found",
}
_FOUND = (verdicts.BETTER, verdicts.WORSE)


def draw(as_of: datetime) -> None:
    """Draw the cards, the picture and the table; what to do where there is no experiment."""
    with reading() as session:
        found = experiment_arms.experiments(session, as_of=as_of)
        frame = experiments.summary(session, found)
    if frame.empty:
        st.info(
            "**No experiments yet.** A campaign that has several messages, or holds some people out, shows "
            "here what differs. Give a draft a second message or a holdout, and launch it.",
            icon=":material/science:",
        )
        link("campaigns", "Plan a campaign")
        return
    findings = frame[["messages_finding", "holdout_finding"]]
    with st.grid(columns=4, border=True, min_column_width=150):
        _card("Experiments", len(frame), "Launched campaigns with several messages or people held out.")
        _card("Not over", int((~frame["over"]).sum()), "Some conversions still count: nothing is decided.")
        _card(
            "With a difference",
            int(findings.isin(_FOUND).any(axis=1).sum()),
            "Over, split as planned, and clear of chance: p below 0.05, adjusted over messages (Holm).",
        )
        _card(
            "Split not as planned",
            int((frame["sample_ratio"] == experiment_arms.ALARM).sum()),
            "Chi-square test with p below 0.001: something sorted the people, so no result can be believed.",
        )
    compared = experiments.rate_differences(found, figure=experiments.DECIDES)
    compared = compared.dropna(subset=["difference"])
    with st.container(border=True):
        st.markdown("**Difference in conversion**, in percentage points, with 95 % intervals")
        if compared.empty:
            st.caption("There is nobody to compare yet.")
        else:
            chart = charts.differences(compared.head(_MOST), currency=workspace().currency, names=True)
            picture.chart(chart, key="experiment-lifts")
            st.caption(
                "Filled: over and clear of chance. Ring: not over, or chance may explain it. Cross: not to "
                "be believed. Dotted line: no difference."
                + (f" The latest {_MOST} of {len(compared)} comparisons." if len(compared) > _MOST else "")
            )
        export_button("experiment_differences", figure=experiments.DECIDES, key="export-lifts")
    _table(frame)
    st.caption(
        f"As of {as_of:%d %b %Y, %H:%M} UTC · people who converted ÷ everybody assigned, whether the message "
        "reached them or not · the rates on Results divide by delivered · select a row to open it"
    )


def finding(row) -> str:
    """What a test of a frame of `experiments` found, in a few words: messages first, then the holdout."""
    parts = [("Messages", row.messages_finding), ("Holdout", row.holdout_finding)]
    known = [(name, FINDINGS[code]) for name, code in parts if code in FINDINGS]
    if len({words for _, words in known}) == 1:
        return known[0][1]
    return "; ".join(f"{name}: {words.lower()}" for name, words in known) or "–"


def _card(label: str, value: int, help: str) -> None:
    st.metric(label, f"{value:,}", help=help, height="stretch")


def _table(frame: pd.DataFrame) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("What each of them says", anchor=False, width="content")
        st.space("stretch")
        export_button("experiments", key="export-experiments")
    table = frame.assign(
        finding=[finding(row) for row in frame.itertuples()],
        kind=frame["kind"].str.capitalize(),
        split=frame["sample_ratio"].map(
            {"ok": "As planned", "warning": "Unusual", "alarm": "Not as planned", "unknown": "–"}
        ),
    )
    event = st.dataframe(
        table[["name", "finding", "verdict", "kind", "split", "people", "launched_at", "ends_at"]],
        hide_index=True,
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        key="experiment-table",
        height=min(38 * len(table) + 40, 720),
        column_config={
            "name": st.column_config.TextColumn("Campaign", width="medium"),
            "finding": "Finding",
            "verdict": st.column_config.TextColumn("In words", width="large"),
            "kind": "Compared",
            "split": "Split of people",
            "people": tables.count("People"),
            "launched_at": tables.moment("Launched"),
            "ends_at": tables.moment("Conversions count until"),
        },
    )
    if event.selection.rows:
        campaign_id = int(frame.iloc[event.selection.rows[0]]["campaign_id"])
        st.query_params.from_dict({"campaign": str(campaign_id)})
        st.rerun()
