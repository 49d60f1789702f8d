"""The pipeline of Sales: its figures, its stages, who works on what, and the leads themselves."""

from datetime import datetime

import pandas as pd
import streamlit as st

from ma.analytics import leads as analytics
from ma.analytics.names import campaign_names, customer_names
from ma.charts import leads as charts
from ma.charts.theme import CHANNEL_LABELS, compact_money, percent
from ma.types import LEFT, LOST_REASONS, MERGED, OPEN_STAGES, WITHDRAWN, Actor, Permission
from ui import case_change, sales_team, tables
from ui.export import export_button
from ui.lead_words import NOBODY, REASONS, STAGES, person
from ui.links import link
from ui.moments import ago
from ui.paging import Paging
from ui.picture import chart
from ui.session import now, reading, workspace
from ui.text import literal

_ROWS = 50
_EVERYBODY = "Everybody"
_BY_THEMSELVES = (LEFT, MERGED, WITHDRAWN)


def draw(actor: Actor) -> None:
    """Draw the pipeline, or what a lead is where there is none yet."""
    as_of, currency = now(), workspace().currency
    with reading() as session:
        pipeline = analytics.lead_pipeline(session, as_of=as_of)
        results = analytics.lead_results(session, as_of=as_of)
        owners = analytics.lead_owners(session, as_of=as_of)
    if not pipeline["leads"].sum():
        _nothing(actor)
        return
    case_change.refusal()
    _cards(pipeline, results, currency)
    stages, people = st.columns(2, gap="medium")
    with stages.container(border=True, height="stretch"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Leads by stage**, and what they are worth", width="content")
            st.space("stretch")
            export_button("lead_pipeline")
        chart(charts.pipeline(pipeline, currency=currency), key="lead-pipeline")
        _lost(results)
    with people.container(border=True, height="stretch"):
        _owners(actor, owners, currency)
    _leads(owners, as_of, currency)


def _nothing(actor: Actor) -> None:
    st.info(
        "**No leads yet.** A lead is opened by itself when somebody who was sent a campaign buys, or clicks "
        "and is among the most engaged customers. Launch a campaign, or import the results of one.",
        icon=":material/handshake:",
    )
    with st.container(horizontal=True):
        link("campaigns", "Plan a campaign")
        if actor.may(Permission.WORK_CASES):
            sales_team.button()


def _cards(pipeline: pd.DataFrame, results: pd.DataFrame, currency: str) -> None:
    by_stage = pipeline.set_index("stage")
    open_ = by_stage.loc[[stage.value for stage in OPEN_STAGES]]
    won = by_stage.loc["won"]
    lost = int(results.loc[results["result"].isin(LOST_REASONS), "leads"].sum())
    decided = int(won["leads"]) + lost
    with st.grid(columns=4, border=True, min_column_width=150):
        new = int(by_stage.loc["new", "leads"])
        st.metric(
            "Open leads",
            f"{int(open_['leads'].sum()):,}",
            f"{new:,} not contacted yet" if new else None,
            delta_color="off",
            delta_arrow="off",
            help="People whom somebody of Sales should talk to, or is talking to.",
            height="stretch",
        )
        st.metric(
            "Worth of open leads",
            literal(compact_money(int(open_["value_minor"].sum()), currency)),
            help="What these people spent because of the campaign, as far as it is known. A lead of clicks "
            "alone is worth nothing yet.",
            height="stretch",
        )
        st.metric(
            "Won",
            literal(compact_money(int(won["value_minor"]), currency)),
            _leads_of(int(won["leads"])) if won["leads"] else None,
            delta_color="off",
            delta_arrow="off",
            help="What the customers of won leads will pay.",
            height="stretch",
        )
        st.metric(
            "Win rate",
            percent(int(won["leads"]) / decided if decided else float("nan")),
            f"{int(won['leads']):,} of {decided:,} decided" if decided else None,
            delta_color="off",
            delta_arrow="off",
            help="Won ÷ (won + lost by Sales). Leads that ended by themselves are left out: "
            + ", ".join(_BY_THEMSELVES)
            + ".",
            height="stretch",
        )


def _lost(results: pd.DataFrame) -> None:
    why = [f"{row.result} {row.leads:,}" for row in results.itertuples() if row.result != "won"]
    if why:
        st.caption("Lost because: " + " · ".join(why))


def _owners(actor: Actor, owners: pd.DataFrame, currency: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Who works on what**", width="content")
        st.space("stretch")
        export_button("lead_owners")
        if actor.may(Permission.WORK_CASES):
            sales_team.button()
    named = owners.assign(
        who=owners["owner"].fillna(NOBODY), open_leads=owners["open"], won_leads=owners["won"]
    )
    table = tables.major(
        named[["who", "open_leads", "open_minor", "won_leads", "lost", "won_minor"]],
        ["open_minor", "won_minor"],
        currency=currency,
    )
    st.dataframe(
        table[["who", "open_leads", "open", "won_leads", "won", "lost"]],
        hide_index=True,
        height=min(35 * len(table) + 38, 214),
        column_config={
            "who": st.column_config.TextColumn("Owner", pinned=True),
            "open_leads": tables.count("Open", width=60),
            "open": tables.money("Worth", currency),
            "won_leads": tables.count("Won", width=60),
            "won": tables.money("Won for", currency),
            "lost": tables.count("Lost", width=60),
        },
    )
    st.caption("A new lead goes to whoever of the team has the fewest open ones.")
    of_nobody = int(owners.loc[owners["owner"].isna(), "open"].sum())
    if of_nobody and owners["owner"].notna().any() and actor.may(Permission.WORK_CASES):
        sales_team.share_out(of_nobody)


def _leads(owners: pd.DataFrame, as_of: datetime, currency: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Leads", anchor=False, width="content")
        st.space("stretch")
        export = st.container(width="content")
    stage, owner, reason = _filters(owners)
    chosen = {"stage": stage, "owner": owner, "reason": reason}
    with export:
        export_button("leads", **chosen)
    view = f"{stage}-{owner}-{reason}"
    with reading() as session:
        count = analytics.lead_count(session, **chosen)
        paging = Paging("page", count, _ROWS, view=f"leads-{view}", in_address=True)
        frame = analytics.leads(session, as_of=as_of, **chosen, limit=_ROWS, offset=paging.offset)
        people = customer_names(session, frame["customer_id"])
        campaigns = campaign_names(session, frame["campaign_id"])
    if frame.empty:
        st.caption("No lead is like that. Choose other stages, or everybody's.")
        return
    table = frame.assign(
        customer=[person(people, i) for i in frame["customer_id"]],
        campaign=frame["campaign_id"].map(campaigns),
        shown=[ago(moment, as_of) for moment in frame["signal_at"]],
    )
    _table(table, currency, key=f"lead-list-{view}-{paging.page}")
    paging.draw()
    st.caption(
        f"{_leads_of(count)}, the highest scores first · as of "
        f"{as_of:%d %b %Y, %H:%M} UTC · select a row to open it"
    )


def _leads_of(count: int) -> str:
    return "1 lead" if count == 1 else f"{count:,} leads"


def _filters(owners: pd.DataFrame) -> tuple[str, str | None, str | None]:
    """The stages, the owner and the reason that are wanted, as the tables of leads take them."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="lead-filters"):
        stages = st.pills(
            "Stage",
            list(STAGES),
            format_func=STAGES.get,
            selection_mode="multi",
            key="stage",
            bind="query-params",
            help="Without a choice: all that are open.",
            width="content",
            wrap=True,
        )
        reason = st.pills(
            "Why",
            list(REASONS),
            format_func=REASONS.get,
            key="why",
            bind="query-params",
            width="content",
        )
        names = owners["owner"].dropna().tolist()
        owner = st.selectbox(
            "Owner", [_EVERYBODY, NOBODY, *names], key="owner", bind="query-params", width=220
        )
    wanted = None if owner in (_EVERYBODY, None) else "" if owner == NOBODY else owner
    return ",".join(stages) or "open", wanted, reason


def _table(frame: pd.DataFrame, currency: str, *, key: str) -> None:
    table = tables.major(
        frame.assign(
            channel=frame["channel"].map(CHANNEL_LABELS),
            why=frame["reason"].map(REASONS),
            stage_name=frame["stage"].map(STAGES),
            owner=frame["owner"].fillna(NOBODY),
            days=frame["days_in_stage"].where(frame["closed_at"].isna()),
        ),
        ["value_minor"],
        currency=currency,
    )
    shown = ["customer", "score", "stage_name", "owner", "value", "why", "shown", "campaign", "days"]
    shown += ["lost_reason"] if table["lost_reason"].notna().any() else []
    event = st.dataframe(
        table[shown],
        hide_index=True,
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        key=key,
        height=min(35 * len(table) + 38, 720),
        column_config={
            "customer": st.column_config.TextColumn("Customer", width="medium", pinned=True),
            "score": st.column_config.ProgressColumn(
                "Score", width=110, min_value=0, max_value=100, format="%d"
            ),
            "stage_name": "Stage",
            "owner": "Owner",
            "value": tables.money("Worth", currency),
            "why": st.column_config.TextColumn("Why", width=150),
            "shown": "Last sign of interest",
            "campaign": st.column_config.TextColumn("Campaign", width="medium"),
            "days": tables.count("Days in this stage"),
            "lost_reason": "Lost because",
        },
    )
    if event.selection.rows:
        st.query_params.from_dict({"id": str(int(frame.iloc[event.selection.rows[0]]["lead_id"]))})
        st.rerun()
