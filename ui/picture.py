"""A chart as the screens show it, with a button that saves it as a picture."""

import plotly.graph_objects as go
import streamlit as st

from ma.charts import theme
from ma.types import Permission
from ui.page import current_actor

# As many dots as a slide or a printed page wants.
_SCALE = 2
# A picture cannot hold the page's own font. Those after it are about as wide: words keep their room.
_FONT = (
    f"{theme.FONT.split(', system-ui')[0]}, Segoe UI, Helvetica Neue, Arial, Liberation Sans, "
    "DejaVu Sans Condensed, sans-serif"
)
_WORDS = {
    "Download plot as a PNG": "Save as picture (PNG)",
    "Preparing image - this may take a few seconds": "Preparing the picture …",
    "Image download succeeded": "Saved",
    "Sorry, there was a problem downloading your image!": "The picture could not be made. Try again.",
}


def chart(figure: go.Figure, *, key: str, file: str | None = None, **more):
    """Draw a figure; who may export and points at it can save it as a PNG file, named `file` or after `key`.

    The browser makes the picture, in the colours of the theme that is on. `more` and what comes back are
    those of st.plotly_chart.
    """
    config = theme.CONFIG
    if current_actor().may(Permission.EXPORT):
        # The ground is then the theme's own: a transparent one would leave pale words on a white page.
        figure.update_layout(paper_bgcolor=None, font_family=_FONT)
        config = config | {
            "displayModeBar": "hover",
            "modeBarButtons": [["toImage"]],
            "toImageButtonOptions": {"format": "png", "filename": file or key, "scale": _SCALE},
            "locales": {"en-US": {"dictionary": _WORDS}},
        }
    return st.plotly_chart(figure, config=config, key=key, **more)
