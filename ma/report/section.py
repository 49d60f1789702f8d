"""One section of a report, and what several of them are made of."""

from dataclasses import dataclass

import pandas as pd

from ma.charts import theme
from ma.report import pictures, words
from ma.report.markup import Html, join, tag
from ma.report.pictures import Mark

# Bars of a chart that stay readable on one page; its table has all.
MOST_BARS = 20


@dataclass(frozen=True)
class Section:
    """One section; `words` are the names of the glossary's terms that it uses."""

    key: str
    title: str
    body: Html
    words: tuple[str, ...] = ()
    fresh_page: bool = False


def rates_picture(title: str, frame: pd.DataFrame, name: str) -> Html:
    """Conversion rates as dots with their intervals; `name` is the column that names the rows."""
    marks = [
        Mark(
            str(getattr(row, name)),
            row.conversion_rate,
            words.conversion(row),
            f"{words.conversion(row)} of {words.count(row.sent)} sent",
            low=row.conversion_rate_low,
            high=row.conversion_rate_high,
        )
        for row in frame.itertuples()
    ]
    return pictures.estimates(title, marks, theme.percent) if marks else Html("")


def named(row) -> Html:
    """A campaign's name, with a star while it is growing."""
    return join([row.name, tag("sup", "*")] if row.growing else [row.name])


def most_sent(frame: pd.DataFrame) -> pd.DataFrame:
    """As many rows as a chart can show: those that were sent to most people."""
    return frame.sort_values("sent", ascending=False, kind="stable").head(MOST_BARS)


def drawn(shown: pd.DataFrame, frame: pd.DataFrame) -> str:
    """What a chart's title says about those it leaves out; the table has them all."""
    return "" if len(shown) == len(frame) else f" ({len(shown)} of {len(frame)}: those sent to most people)"


def known(number: int, of: int) -> str:
    """Of how many campaigns a figure is known."""
    return words.campaigns(of) if number == of else f"known for {number:,} of {words.campaigns(of)}"


def over(value: str, ends: str) -> Html:
    """A cell of a table: a figure, and under it its interval; wide tables would not fit a page otherwise."""
    return join([value]) if ends == words.UNKNOWN else join([value, tag("span", ends, class_="under")])
