"""The first step of an import: a file, and how it was read, which a person can correct."""

import streamlit as st

from ma.files.delimited import ENCODINGS, SEPARATORS
from ma.files.reading import Sheet, read
from ui.errors import shown
from ui.text import literal

TYPES = ["csv", "tsv", "txt", "gz", "xlsx", "parquet"]
_FORMATS = {"csv": "CSV", "excel": "Excel", "parquet": "Parquet"}


def choose() -> Sheet | None:
    """The uploader, then what was detected; the table of the file, or None before there is one."""
    uploaded = st.file_uploader(
        "Choose a CSV, Excel (.xlsx) or Parquet file, up to 200 MB",
        type=TYPES,
        key=f"import-upload-{st.session_state.get('import-round', 0)}",
    )
    if uploaded is None:
        st.session_state.pop("import-sheet", None)
        return None
    chosen = {
        name: st.session_state.get(f"import-{name}-{uploaded.file_id}")
        for name in ("encoding", "separator", "sheet")
    }
    sheet = _sheet(uploaded, chosen)
    _detected(uploaded, sheet, chosen)
    return sheet


def _sheet(uploaded, chosen: dict) -> Sheet | None:
    """The file as a table, read once for each set of choices."""
    signature = (uploaded.file_id, *chosen.values())
    kept = st.session_state.get("import-sheet")
    if kept and kept[0] == signature:
        return kept[1]
    st.session_state.pop("import-sheet", None)
    with shown() as attempt, st.spinner("Reading the file …"):
        sheet = read(uploaded.getvalue(), name=uploaded.name, **chosen)
    if not attempt.ok:
        return None
    st.session_state["import-sheet"] = (signature, sheet)
    return sheet


def _detected(uploaded, sheet: Sheet | None, chosen: dict) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="import-detected"):
        if sheet is not None:
            st.badge(_FORMATS[sheet.format], icon=":material/description:", color="violet")
            st.badge(f"{len(sheet.frame):,} rows", color="gray")
            st.badge(f"{sheet.frame.shape[1]} columns", color="gray")
            if sheet.encoding:
                st.badge(sheet.encoding, color="gray")
            if sheet.separator:
                st.badge(f"Separated by {SEPARATORS[sheet.separator]}", color="gray")
            if sheet.sheet:
                st.badge(f"Sheet {literal(sheet.sheet)}", color="gray")
        if sheet is None or sheet.format != "parquet":
            _correct(uploaded.file_id, sheet, chosen)


def _correct(file_id: str, sheet: Sheet | None, chosen: dict) -> None:
    """The menu that changes how the file is read."""
    excel = sheet is not None and sheet.format == "excel"
    if excel and len(sheet.sheets) < 2 and not chosen["sheet"]:
        return
    with st.popover("Read it differently", icon=":material/tune:", type="tertiary"):
        if excel:
            st.selectbox(
                "Sheet",
                list(sheet.sheets),
                index=sheet.sheets.index(sheet.sheet),
                key=f"import-sheet-{file_id}",
            )
            return
        st.selectbox(
            "Encoding",
            list(ENCODINGS),
            index=None,
            placeholder=f"As found: {sheet.encoding}" if sheet else "As found",
            key=f"import-encoding-{file_id}",
            help="If accents look wrong below, choose another one.",
        )
        st.selectbox(
            "Separator",
            list(SEPARATORS),
            index=None,
            format_func=lambda sign: SEPARATORS[sign].capitalize(),
            placeholder=f"As found: {SEPARATORS[sheet.separator]}" if sheet else "As found",
            key=f"import-separator-{file_id}",
        )
