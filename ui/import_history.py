"""The last imports, each with its way back."""

import pandas as pd
import streamlit as st

from ma.analytics import imports as past
from ma.services import imports
from ma.types import Actor, Permission
from ui.errors import shown
from ui.import_columns import KINDS
from ui.page import current_actor
from ui.session import now, reading, workspace, writing
from ui.text import literal

_SHOWN = 10


def show(actor: Actor) -> None:
    """The last imports; nothing where there are none."""
    with reading() as session:
        runs = past.imports(session, as_of=now(), limit=_SHOWN)
    if runs.empty:
        return
    st.subheader("Last imports", anchor=False)
    zone = workspace().timezone
    with st.container(border=True, key="import-history", gap="small"):
        for run in runs.itertuples():
            _line(run, run.at.tz_convert(zone), actor.may(Permission.IMPORT))


def _line(run, at: pd.Timestamp, may_undo: bool) -> None:
    undone = pd.notna(run.undone_at)
    label, icon, _ = KINDS.get(run.kind, (run.kind, ":material/upload_file:", ""))
    with st.container(horizontal=True, vertical_alignment="center", key=f"import-run-{run.import_id}"):
        st.markdown(
            f"{icon} **{literal(run.file_name)}** · {label}  \n"
            f":gray[{at.day} {at:%b %Y, %H:%M} by {literal(run.actor)}]",
            width="content",
        )
        st.space("stretch")
        for name, colour in (("new", "green"), ("changed", "blue"), ("rejected", "orange")):
            if count := getattr(run, name):
                st.badge(f"{count:,} {name}", color=colour)
        if undone:
            st.badge("Undone", icon=":material/undo:", color="gray")
        elif may_undo and run.can_undo:
            _undo_button(run)


def _undo_button(run) -> None:
    if st.button("Undo", icon=":material/undo:", key=f"import-undo-{run.import_id}", type="tertiary"):
        _confirm(int(run.import_id), run.file_name, int(run.new), int(run.changed))


@st.dialog("Undo this import?", icon=":material/undo:")
def _confirm(import_id: int, file_name: str, new: int, changed: int) -> None:
    """Ask once, saying what will be lost, and undo."""
    actor = current_actor()
    st.markdown(
        f"What **{literal(file_name)}** brought in is taken out again ({new:,} new rows), and what it "
        f"changed goes back to what it was ({changed:,} rows). What people have changed by hand since then "
        "stays."
    )
    with st.container(horizontal=True):
        confirmed = st.button(
            "Undo import", type="primary", icon=":material/undo:", key="import-undo-confirmed"
        )
        if st.button("Keep", key="import-undo-cancelled"):
            st.rerun()
    if not confirmed:
        return
    with shown() as attempt, st.spinner("Undoing …"):
        at = now()
        with writing() as session:
            counts = imports.undo(session, actor, import_id, at=at)
    if attempt.ok:
        st.toast(f"The import is undone: {_said(counts)}.", icon=":material/undo:", duration="long")
        st.rerun()


def _said(counts: dict[str, int]) -> str:
    """What was taken out, put back and kept, in words."""
    verbs = {"removed": "taken out", "restored": "as before", "kept": "kept, as they were changed since"}
    words = [
        f"{counts[f'{noun}_{how}']:,} {noun} {said}"
        for how, said in verbs.items()
        for noun in ("campaigns", "customers", "orders", "events")
        if counts.get(f"{noun}_{how}")
    ]
    if consents := counts.get("consent_not_raised"):
        words.append(f"{consents:,} consents stay withdrawn: only the people themselves can give them again")
    return "; ".join(words) or "no rows were left of it"
