"""The export menu: links to the checked route, so that no file lies open under a guessable address.

It also has the lines that give the same table in a notebook.
"""

import json
from collections.abc import Mapping
from numbers import Integral
from urllib.parse import urlencode

import streamlit as st

from ma.types import Permission
from ui.page import current_actor

FORMATS = {
    "csv": ("CSV", ":material/csv:"),
    "xlsx": ("Excel", ":material/grid_on:"),
    "parquet": ("Parquet", ":material/table:"),
}
_LINE = 72


def export_url(frame: str, extension: str, **params: object) -> str:
    """The address that downloads a frame; lists are joined by commas, parameters that are None left out."""
    query = urlencode({name: _text(value) for name, value in params.items() if value is not None})
    return f"/export/{frame}.{extension}" + (f"?{query}" if query else "")


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def python_lines(frame: str, **params: object) -> str:
    """Python that gives in a notebook the table which the same parameters export, as `table`."""
    given = {name: value for name, value in params.items() if value is not None}
    if frame in ("forecast", "replay"):
        named = {name: value for name, value in given.items() if name not in ("campaign_id", "change")}
        call = _call(
            frame, [repr(given["campaign_id"])], {name: repr(value) for name, value in named.items()}
        )
    elif frame == "budget_plan":
        apart = {"days_apart": repr(given["days_apart"])} if given.get("days_apart") else {}
        call = _call(frame, [repr(list(given["campaign_ids"])), repr(given["budget_minor"])], apart)
    else:
        call = _call("frame", [_literal(frame)], {name: _literal(value) for name, value in given.items()})
    return f"from ma.notebook import connect\n\nworkbench = connect()\ntable = workbench.{call}"


def _call(method: str, values: list[str], named: Mapping[str, str]) -> str:
    arguments = [*values, *(f"{name}={value}" for name, value in named.items())]
    line = f"{method}({', '.join(arguments)})"
    if len(line) <= _LINE:
        return line
    return f"{method}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


def _literal(value: object) -> str:
    # JSON's strings are Python's, with double quotes as everywhere here.
    return str(int(value)) if isinstance(value, Integral) else json.dumps(_text(value), ensure_ascii=False)


def export_button(
    frame: str,
    *,
    label: str = "Export",
    key: str | None = None,
    code: str | None = None,
    **params: object,
) -> None:
    """A small menu that downloads the frame as CSV, Excel or Parquet, with the filters in `params`.

    Beside it stand the Python lines for the same table; `code` has them where `params` do not say all.
    Draws nothing for a role that may not export. `frame` is a name in `ma.analytics.frames.FRAMES`.
    """
    if not current_actor().may(Permission.EXPORT):
        return
    with st.popover(label, icon=":material/download:", key=key):
        with st.container(horizontal=True, gap=None):
            for extension, (name, icon) in FORMATS.items():
                st.link_button(
                    name,
                    export_url(frame, extension, **params),
                    icon=icon,
                    type="tertiary",
                    key=f"export-{key or frame}-{extension}",
                )
        st.caption("In Python")
        st.code(code or python_lines(frame, **params), language="python", wrap_lines=True)
