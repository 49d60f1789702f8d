"""HTML from values: whatever is not HTML already is escaped, so that a campaign's name stays a name."""

from collections.abc import Iterable, Sequence
from html import escape

# Tags that have no end tag.
_VOID = {"br", "hr", "meta"}


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def html(value: object) -> Html:
    """A value as HTML: its text with every special character escaped."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def join(parts: Iterable[object], between: str = "") -> Html:
    """Values one after the other, as HTML."""
    return Html(between.join(map(html, parts)))


def tag(name: str, /, *children: object, **attributes: object) -> Html:
    """One element: `tag("p", text, class_="note")`. An attribute that is None is left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>" if name in _VOID else f"<{name}{given}>{join(children)}</{name}>")


def table(head: Sequence[object], rows: Iterable[Sequence[object]], *, words: int = 1) -> Html:
    """A table whose first `words` columns are text, to the left; the others are numbers, to the right."""

    def cells(kind: str, values: Sequence[object]) -> Html:
        return join(
            tag(kind, value, class_="number" if i >= words else None, scope="col" if kind == "th" else None)
            for i, value in enumerate(values)
        )

    body = join(tag("tr", cells("td", row)) for row in rows)
    whole = tag("table", tag("thead", tag("tr", cells("th", head))), tag("tbody", body))
    return tag("div", whole, class_="table")
