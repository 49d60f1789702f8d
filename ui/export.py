"""The export menu: links to the checked route, so that no file lies open under a guessable address."""

from urllib.parse import urlencode

import streamlit as st

from ma.types import Permission
from ui.page import current_actor

FORMATS = {
    "csv": ("CSV", ":material/csv:"),
    "xlsx": ("Excel", ":material/grid_on:"),
    "parquet": ("Parquet", ":material/table:"),
}


def export_url(frame: str, extension: str, **params: object) -> str:
    """The address that downloads a frame; lists are joined by commas, parameters that are None left out."""
    query = urlencode({name: _text(value) for name, value in params.items() if value is not None})
    return f"/export/{frame}.{extension}" + (f"?{query}" if query else "")


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def export_button(frame: str, *, label: str = "Export", key: str | None = None, **params: object) -> None:
    """A small menu that downloads the frame as CSV, Excel or Parquet, with the filters in `params`.

    Draws nothing for a role that may not export. `frame` is a name in `ma.analytics.frames.FRAMES`.
    """
    if not current_actor().may(Permission.EXPORT):
        return
    with st.popover(label, icon=":material/download:", key=key):
        for extension, (name, icon) in FORMATS.items():
            st.link_button(
                name,
                export_url(frame, extension, **params),
                icon=icon,
                type="tertiary",
                width="stretch",
                key=f"export-{key or frame}-{extension}",
            )
