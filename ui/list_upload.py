"""People of a file put on a static list: the file, a dry run that says who they are, and adding them."""

import streamlit as st

from ma.analytics.segments import SegmentInfo
from ma.files.reading import Sheet, headless, read
from ma.files.writing import to_csv
from ma.services import segment_uploads
from ma.services.segment_uploads import KEYS, Upload
from ui.errors import shown
from ui.import_file import TYPES
from ui.links import here
from ui.page import current_actor
from ui.session import now, reading, writing
from ui.text import literal

_SHEET, _LOOKED_UP = "list-upload-sheet", "list-upload-found"
_SHOWN = 200


def draw(segment: SegmentInfo) -> None:
    """The screen that uploads people to a list."""
    st.subheader(f"Upload people to {literal(segment.name)}", anchor=False)
    here("Back to the list", icon=":material/arrow_back:", id=segment.segment_id)
    uploaded = st.file_uploader(
        "Choose a CSV, Excel (.xlsx) or Parquet file, up to 200 MB",
        type=TYPES,
        key=f"list-upload-{segment.segment_id}",
    )
    if uploaded is None:
        st.caption(
            "One column says who they are: e-mail address, external id, phone number or our customer id."
        )
        for name in (_SHEET, _LOOKED_UP):
            st.session_state.pop(name, None)
        return
    read_as = _sheet(uploaded)
    if read_as is None:
        return
    sheet, first = _with_first_row(*read_as, uploaded.file_id)
    if not _has_rows(sheet):
        return
    # Without its header a file has other columns, and so other choices.
    table = f"{uploaded.file_id}-{sheet.first_row}"
    column, key = _choices(sheet, table, first)
    upload = _look_up(segment, sheet, table, column, key)
    if upload is not None:
        _found(upload)
        _add(segment, upload)


def _sheet(uploaded) -> tuple[Sheet, tuple[str, str] | None] | None:
    """The table, and the person whom its header is."""
    kept = st.session_state.get(_SHEET)
    if kept and kept[0] == uploaded.file_id:
        return kept[1:]
    with shown() as attempt, st.spinner("Reading the file …"):
        sheet = read(uploaded.getvalue(), name=uploaded.name)
        with reading() as session:
            person = segment_uploads.header_person(session, sheet)
    if not attempt.ok:
        return None
    st.session_state[_SHEET] = (uploaded.file_id, sheet, person)
    return sheet, person


def _with_first_row(
    sheet: Sheet, person: tuple[str, str] | None, file_id: str
) -> tuple[Sheet, tuple[str, str] | None]:
    """The table with or without a header, as chosen; of one without, its first person."""
    if not sheet.header:
        return sheet, None
    told = st.empty()
    if st.checkbox("The first row is a header", value=person is None, key=f"list-header-{file_id}"):
        return sheet, None
    if person:
        told.info(
            f"The first row, “{literal(person[0])}”, looks like a person and is read as one. If it only "
            "names the column, tick the box.",
            icon=":material/person:",
        )
    return headless(sheet), person


def _has_rows(sheet: Sheet) -> bool:
    if len(sheet.frame):
        return True
    st.warning("The file has a header and no rows below it.", icon=":material/table_rows:")
    return False


def _choices(sheet: Sheet, table: str, first: tuple[str, str] | None) -> tuple[str, str]:
    column, key = segment_uploads.suggested(sheet)
    if first:
        cells = sheet.frame.iloc[0].str.strip()
        column, key = cells.index[cells == first[0]][0], first[1]
    columns = list(sheet.frame.columns)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        column = st.selectbox(
            "The column that says who they are",
            columns,
            index=columns.index(column),
            width=280,
            key=f"list-column-{table}",
        )
        key = st.selectbox(
            "It holds their",
            list(KEYS),
            index=list(KEYS).index(key),
            format_func=KEYS.get,
            width=220,
            key=f"list-key-{table}",
        )
    return column, key


def _look_up(segment: SegmentInfo, sheet: Sheet, table: str, column: str, key: str) -> Upload | None:
    """The dry run, made once for each choice."""
    signature = (table, segment.segment_id, segment.refreshed_at, column, key)
    kept = st.session_state.get(_LOOKED_UP)
    if kept and kept[0] == signature:
        return kept[1]
    with shown() as attempt, st.spinner("Looking them up …"), reading() as session:
        upload = segment_uploads.look_up(
            session, current_actor(), segment.segment_id, sheet, column=column, key=key
        )
    if not attempt.ok:
        return None
    st.session_state[_LOOKED_UP] = (signature, upload)
    return upload


def _found(upload: Upload) -> None:
    with st.grid(columns=4, border=True, min_column_width=150):
        st.metric("Rows found", f"{upload.found:,}", help="One customer answers to what stands there")
        st.metric("Rows unknown", f"{upload.unknown:,}", help="Nobody answers to what stands there")
        st.metric("Rows ambiguous", f"{upload.ambiguous:,}", help="Several customers answer to it")
        st.metric("Rows empty", f"{upload.empty:,}", help="Nothing stands there")
    st.caption(_sum(upload))
    if upload.refused.empty:
        return
    rows = "1 row" if len(upload.refused) == 1 else f"{len(upload.refused):,} rows"
    with st.expander(f"{rows} left out, and why", icon=":material/person_off:"):
        st.dataframe(upload.refused.head(_SHOWN), hide_index=True)
        st.download_button(
            "Download them",
            lambda: to_csv(upload.refused),
            file_name="not_on_the_list.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            key="list-refused",
        )


def _sum(upload: Upload) -> str:
    """How the rows become people."""
    rows = "1 row" if upload.rows == 1 else f"{upload.rows:,} rows"
    if not upload.people:
        return f"{rows}, nobody found. Nothing is added yet."
    people = "1 person" if upload.people == 1 else f"{upload.people:,} people"
    repeated = f" ({upload.repeated:,} repeated)" if upload.repeated else ""
    already = f"{upload.already:,} already on the list, " if upload.already else ""
    found = f"{rows}, {upload.found:,} found{repeated}: {people}, {already}{upload.new:,} to add"
    return f"{found}. Nothing is added yet."


def _add(segment: SegmentInfo, upload: Upload) -> None:
    if not st.button(
        f"Add {upload.new:,} to the list" if upload.new else "Nobody to add",
        type="primary",
        icon=":material/playlist_add:",
        key="add-uploaded",
        disabled=not upload.new,
    ):
        return
    at = now()
    with shown() as attempt, writing() as session:
        added = segment_uploads.add_uploaded(session, current_actor(), segment.segment_id, upload, at=at)
    if attempt.ok:
        for name in (_SHEET, _LOOKED_UP):
            st.session_state.pop(name, None)
        st.toast(f"{added:,} added to the list.", icon=":material/check:")
        st.query_params.from_dict({"id": str(segment.segment_id)})
        st.rerun()
