"""Import and export: files in, with a dry run first, and every list out."""

import streamlit as st

from ma.types import PERMISSIONS, Permission
from ui import export_lists, import_check, import_columns, import_file, import_history, import_job
from ui.page import page

actor = page("Import and export", Permission.READ)
may_import, may_export = actor.may(Permission.IMPORT), actor.may(Permission.EXPORT)

views = {"import": ":material/upload: Import", "export": ":material/download: Export"}
usual = "import" if may_import or not may_export else "export"
wanted = st.query_params.get("view")
view = st.segmented_control(
    "What do you want to do?",
    list(views),
    format_func=views.get,
    default=wanted if wanted in views else usual,
    required=True,
    label_visibility="collapsed",
    key="files-view",
)
# Binding the widget would write its label there.
if view == usual:
    st.query_params.pop("view", None)
else:
    st.query_params["view"] = view

if view == "export":
    if may_export:
        export_lists.show()
    else:
        st.info(
            f"Taking lists out needs the role {PERMISSIONS[Permission.EXPORT]}. Ask an admin for it.",
            icon=":material/lock:",
        )
    st.stop()

if not may_import:
    st.info(
        f"Bringing files in needs the role {PERMISSIONS[Permission.IMPORT]}. Ask an admin for it. "
        "Below you see what came in so far.",
        icon=":material/lock:",
    )
    import_history.show(actor)
    st.stop()

job = import_job.find(actor, st.query_params.get("import"))
if job and job.state != import_job.CHECKED:
    # The table has done its part; a big one would stay in memory as long as the tab is open.
    st.session_state.pop("import-sheet", None)
if job and job.under_way:
    import_check.show_progress(job.id)
    st.stop()
if job and job.state != import_job.CHECKED:
    import_check.cards(job.done.counts if job.done else job.counts)
    import_check.show_end(job)
    import_history.show(actor)
    st.stop()

with st.container(border=True, key="import-file"):
    sheet = import_file.choose()
choices = None
if sheet is not None and sheet.frame.empty:
    st.warning("The file has a header and no rows below it. Choose another one.", icon=":material/warning:")
elif sheet is not None:
    choices = import_columns.choose(sheet)
    import_check.check_button(actor, sheet, choices)
    job = import_job.find(actor, st.query_params.get("import"))
if job and (choices is None or job.choices == choices):
    import_check.show_plan(job)
elif job:
    st.caption("Something was changed since the last check. Check again to see what would happen now.")
if sheet is None and job is None:
    import_columns.explain()
    import_history.show(actor)
