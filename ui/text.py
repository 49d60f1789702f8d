"""Data inside labels and messages, shown as they are."""

import re

# Everything that Streamlit's Markdown gives a meaning: emphasis, links, images, LaTeX, icons, colours, HTML.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$:~&@/])")


def literal(text: object) -> str:
    """Text for a label, metric, toast or message that shows exactly these characters.

    Streamlit renders Markdown in all of them: a customer's name could become an image or a formula. Line
    breaks become spaces. Cells of st.dataframe and st.text need no escaping.
    """
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def literal_lines(text: str) -> str:
    """The same for a text of several lines, which stay lines."""
    return "  \n".join(literal(line) or "\N{NO-BREAK SPACE}" for line in text.splitlines())
