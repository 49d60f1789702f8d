"""The last steps of an import: the dry run, writing it in the background, and what came of it."""

import streamlit as st

from ma.files.reading import Sheet
from ma.services import imports
from ma.types import Actor
from ui import import_job
from ui.errors import shown
from ui.import_columns import Choices
from ui.import_job import Job
from ui.links import link
from ui.page import current_actor
from ui.session import now, reading
from ui.text import literal

_SHOWN_ROWS = 500


def start_over() -> None:
    """Forget the file and the dry run; the uploader begins anew."""
    actor = current_actor()
    if job := import_job.find(actor, st.query_params.get("import")):
        import_job.forget(job)
    st.query_params.pop("import", None)
    for name in [key for key in st.session_state if str(key).startswith("import-") and key != "import-round"]:
        del st.session_state[name]
    st.session_state["import-round"] = st.session_state.get("import-round", 0) + 1


def check_button(actor: Actor, sheet: Sheet, choices: Choices) -> None:
    """The button of the dry run, which only reads."""
    rows = len(sheet.frame)
    if not st.button(
        f"Check {rows:,} row{'' if rows == 1 else 's'}",
        type="primary",
        icon=":material/fact_check:",
        key="import-check",
    ):
        return
    with shown() as attempt, st.spinner("Comparing with what is there …"):
        at = now()
        with reading() as session:
            plan = imports.plan(
                session,
                actor,
                choices.kind,
                sheet,
                mapping=dict(choices.mapping),
                key=choices.key,
                options=choices.options,
                at=at,
            )
    if attempt.ok:
        job = import_job.check(actor, plan, choices)
        st.query_params["import"] = job.id


def show_plan(job: Job) -> None:
    """What the import would do, and the button that does it."""
    plan, counts = job.plan, job.counts
    st.subheader("What would happen", anchor=False)
    st.caption(f"{literal(job.file_name)}: {counts['rows']:,} rows checked. Nothing has been written yet.")
    cards(counts)
    if plan.notes:
        st.info("  \n".join(literal(note) for note in plan.notes), icon=":material/info:")
    _details(job)
    wanted = counts["new"] + counts["changed"]
    with st.container(horizontal=True, vertical_alignment="center"):
        if wanted:
            st.button(
                f"Import {wanted:,} row{'s' if wanted != 1 else ''}",
                type="primary",
                icon=":material/upload:",
                key="import-start",
                on_click=_start,
                args=(job.id,),
            )
        else:
            st.markdown("**Nothing to import:** every row is already there as it is, or was rejected.")
        st.button("Start over", icon=":material/restart_alt:", key="import-over", on_click=start_over)
        if wanted and counts["rejected"]:
            st.caption("Rejected rows are left out. All others come in together, or none of them.")


def cards(counts: dict[str, int]) -> None:
    """The four figures of an import."""
    helps = {
        "new": "Rows that nothing here matches.",
        "changed": "Rows that match something here and differ from it.",
        "unchanged": "Rows that are already here exactly so.",
        "rejected": "Rows that cannot be read or do not fit. They are left out.",
    }
    with st.grid(columns=4, min_column_width=140, border=True):
        for name, words in helps.items():
            st.metric(name.capitalize(), f"{counts.get(name, 0):,}", help=words)


def _details(job: Job) -> None:
    """The changes, the rejected rows and the first rows as they were understood."""
    plan = job.plan
    views = []
    if len(plan.changes):
        views.append(("Changes", _changes))
    if len(plan.rejected):
        views.append(("Rejected", _rejected))
    if len(plan.preview):
        views.append(("First rows", _preview))
    if not views:
        return
    for tab, (_, draw) in zip(st.tabs([name for name, _ in views]), views, strict=True):
        with tab:
            draw(job)


def _table(frame, total: int, **columns) -> None:
    shown_rows = frame.head(_SHOWN_ROWS)
    st.dataframe(
        shown_rows.astype({name: "str" for name in shown_rows.columns if shown_rows[name].dtype == object}),
        hide_index=True,
        placeholder="–",
        column_config=columns,
    )
    if total > _SHOWN_ROWS:
        st.caption(f"The first {_SHOWN_ROWS:,} of {total:,}.")


def _changes(job: Job) -> None:
    changes = job.plan.changes
    _table(
        changes,
        len(changes),
        row=st.column_config.NumberColumn("Row", format="%d", width=70),
        customer=st.column_config.Column("Campaign" if job.kind == "totals" else "Customer"),
        field=st.column_config.Column("Field"),
        before=st.column_config.Column("Before"),
        after=st.column_config.Column("After"),
    )


def _rejected(job: Job) -> None:
    _table(
        job.plan.rejected,
        len(job.plan.rejected),
        row=st.column_config.NumberColumn("Row", format="%d", width=70),
        column=st.column_config.Column("Column"),
        value=st.column_config.Column("Value"),
        problem=st.column_config.Column("What to do", width="large"),
    )
    rejected_link(job)


def rejected_link(job: Job) -> None:
    """Download the rejected rows from the checked route."""
    count = job.counts["rejected"]
    st.link_button(
        f"Download {count:,} rejected row{'s' if count != 1 else ''} as CSV",
        f"/import/{job.id}/rejected.csv",
        icon=":material/download:",
        key="import-rejected",
    )


def _preview(job: Job) -> None:
    _table(
        job.plan.preview,
        len(job.plan.preview),
        Row=st.column_config.NumberColumn("Row", format="%d", width=70),
    )


def _start(job_id: str) -> None:
    actor = current_actor()
    if job := import_job.find(actor, job_id):
        job.start(actor)


def _cancel(job_id: str) -> None:
    if job := import_job.find(current_actor(), job_id):
        job.cancel()


@st.fragment(run_every=1.0)
def show_progress(job_id: str) -> None:
    """The bar and the way out while an import is written; the whole page when it has ended."""
    job = import_job.find(current_actor(), job_id)
    if job is None or not job.under_way:
        st.rerun()
    st.subheader(f"Importing {literal(job.file_name)}", anchor=False)
    st.progress(job.share, text=literal(f"{job.words} …"))
    st.caption("It goes on if you leave this page. All of it comes in, or nothing does.")
    st.button(
        "Cancelling …" if job.cancelling else "Cancel import",
        icon=":material/cancel:",
        disabled=job.cancelling,
        key="import-cancel",
        on_click=_cancel,
        args=(job.id,),
    )


def show_end(job: Job) -> None:
    """What came of it."""
    if job.state == import_job.DONE:
        written = job.done.counts
        st.success(
            f"**{literal(job.file_name)} is in.** {written['new']:,} rows new, {written['changed']:,} changed"
            f", {written['unchanged']:,} were already there, {written['rejected']:,} were rejected."
            + _beside(written),
            icon=":material/check_circle:",
        )
    elif job.state == import_job.CANCELLED:
        st.info("The import was cancelled. Nothing of it was kept.", icon=":material/cancel:")
    else:
        st.error(f"{literal(job.problem)} Nothing was imported.", icon=":material/error:")
    with st.container(horizontal=True, vertical_alignment="center"):
        if job.state == import_job.DONE:
            if job.kind in ("outcomes", "totals"):
                link("campaigns", "Look at the campaigns", icon=":material/campaign:")
            else:
                link("customers", "Look at the customers", icon=":material/group:")
            if job.counts.get("rejected"):
                rejected_link(job)
        st.button(
            "Import another file", icon=":material/upload_file:", key="import-over", on_click=start_over
        )


def _beside(written: dict[str, int]) -> str:
    """What the rows made beside themselves."""
    words = []
    if written.get("orders_new"):
        words.append(f"{written['orders_new']:,} orders")
    if written.get("campaigns"):
        words.append(f"{written['campaigns']:,} campaigns")
    if written.get("customers"):
        words.append(f"{written['customers']:,} customers")
    return f" They added {' and '.join(words)}." if words else ""
