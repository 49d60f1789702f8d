"""Charts of the calendar and of overlaps: every block and cell has its number, names stay text."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from ma.charts import campaign_calendar, overlap, theme

NASTY = "<b>x</b> & a name that goes on and on and on"
START, END = date(2026, 3, 1), date(2026, 4, 1)
NOW = datetime(2026, 3, 10, 12, tzinfo=ZoneInfo("Europe/Berlin"))


def calendar_frame():
    frame = pd.DataFrame(
        [
            (7, "Old post", "direct_mail", "completed", "2026-02-20", 900, "sent", "2026-03-22"),
            (3, NASTY, "email", "running", "2026-03-09", 12_345, "sent", "2026-03-16"),
            (3, NASTY, "email", "running", "2026-03-10", 1, "planned", "2026-03-17"),
            (5, "Spring", "sms", "scheduled", "2026-03-31", 0, "scheduled", "2026-04-07"),
        ],
        columns=["campaign_id", "name", "channel", "status", "day", "people", "kind", "window_ends"],
    )
    return frame.assign(day=pd.to_datetime(frame["day"]), window_ends=pd.to_datetime(frame["window_ends"]))


def calendar(**days):
    return campaign_calendar.calendar(calendar_frame(), **{"start": START, "end": END, "now": NOW} | days)


def blocks(figure):
    return [trace for trace in figure.data if trace.text is not None]


def windows(figure):
    return [trace for trace in figure.data if trace.text is None]


def test_every_day_of_sending_in_the_period_is_a_block_in_its_campaigns_row():
    figure = calendar()
    drawn = {
        (custom[0], pd.Timestamp(base).date(), text)
        for trace in blocks(figure)
        for custom, base, text in zip(trace.customdata, trace.base, trace.text, strict=True)
    }
    assert drawn == {
        (3, date(2026, 3, 9), "12k"),
        (3, date(2026, 3, 10), "1"),
        (5, date(2026, 3, 31), "0"),
    }
    rows = {
        custom[0]: y for trace in blocks(figure) for custom, y in zip(trace.customdata, trace.y, strict=True)
    }
    # In the order of the days; what only works on comes last.
    assert rows == {3: 0, 5: 1}
    assert [text.strip()[0] for text in figure.layout.yaxis.ticktext] == ["▶", "◷", "✓"]
    assert all(theme.CHANNEL_COLOURS["email"] == t.marker.line.color for t in blocks(figure) if t.y[0] == 0)
    assert len({trace.marker.pattern.shape for trace in blocks(figure)}) == 3


def test_windows_reach_from_the_first_day_to_the_end_of_the_last_and_not_past_the_period():
    bands = {
        trace.customdata[0][0]: (pd.Timestamp(trace.base[0]), pd.Timedelta(milliseconds=trace.x[0]))
        for trace in windows(calendar())
    }
    assert bands == {
        7: (pd.Timestamp("2026-03-01"), pd.Timedelta(days=22)),
        3: (pd.Timestamp("2026-03-09"), pd.Timedelta(days=9)),
        5: (pd.Timestamp("2026-03-31"), pd.Timedelta(days=1)),
    }


def test_names_stay_text_and_the_hover_gives_the_exact_number():
    figure = calendar()
    said = str([trace.customdata for trace in figure.data]) + str(figure.layout.yaxis.ticktext)
    assert "<b>x" not in said
    assert "&lt;b&gt;x&lt;/b&gt; &amp;" in said
    assert "Sent to 12,345 people on Monday 9 March 2026" in said
    assert "Planned for 1 person on Tuesday 10 March 2026" in said
    assert "Scheduled, to about 0 people" in said


def test_the_present_moment_has_its_line_only_where_it_is_shown():
    def lines(figure):
        return [shape.x0 for shape in figure.layout.shapes if shape.type == "line"]

    assert lines(calendar()) == [datetime(2026, 3, 10, 12)]
    assert lines(calendar(start=date(2026, 3, 16), end=date(2026, 3, 23))) == []
    weekends = [shape.x0.day for shape in calendar().layout.shapes if shape.type == "rect"]
    assert weekends == [1, 7, 8, 14, 15, 21, 22, 28, 29]


def test_a_week_has_names_of_days_and_exact_numbers():
    figure = calendar(start=date(2026, 3, 9), end=date(2026, 3, 16))
    assert figure.layout.xaxis.ticktext[0] == "Mon 9 Mar"
    assert {text for trace in blocks(figure) for text in trace.text} == {"12,345", "1"}


@pytest.mark.parametrize("days", [{}, {"start": date(2027, 1, 4), "end": date(2027, 1, 11)}])
def test_nothing_is_an_empty_picture(days):
    frame = calendar_frame().iloc[:0]
    figure = campaign_calendar.calendar(frame, **{"start": START, "end": END, "now": NOW} | days)
    assert not figure.data


# Overlap


def shares(*rows):
    return pd.DataFrame(rows, columns=["messages", "people", "capped"])


def test_each_number_of_messages_is_a_bar_of_its_people():
    figure = overlap.distribution(shares((0, 50, 0), (1, 30, 2), (2, 10, 0), (5, 10, 10)), cap=3)
    free, capped, words = figure.data
    assert list(free.y) == list(capped.y) == [1, 2, 3, 4, 5]
    assert list(free.x) == [28, 10, 0, 0, 0]
    assert list(capped.x) == [2, 0, 0, 0, 10]
    assert capped.marker.pattern.shape == "/"
    assert words.text[0].endswith("<b>30</b>  60.0 %")
    assert figure.layout.shapes[0].y0 == 3.5
    assert figure.layout.annotations[0].text == "Limit: 3 in 7 days"


def test_without_anybody_above_the_limit_there_is_no_line():
    figure = overlap.distribution(shares((0, 5, 0), (1, 1, 0)), cap=3)
    assert list(figure.data[0].y) == [1, 2, 3]
    assert not figure.layout.shapes


def pairs(size):
    ids = range(1, size + 1)
    campaigns = pd.DataFrame(
        {
            "campaign_id": ids,
            "campaign": [f"{NASTY} {one}" for one in ids],
            "people": [100 * one for one in ids],
        }
    )
    rows = [
        (a, NASTY, b, NASTY, 100 if a == b else a * b, a * b / 100 if a != b else 1.0)
        for a in ids
        for b in ids
    ]
    columns = ["first_id", "first", "second_id", "second", "both", "share_of_smaller"]
    return pd.DataFrame(rows, columns=columns), campaigns


def test_a_matrix_holds_every_pair_once_and_nobodys_share_with_itself():
    figure = overlap.matrix(*pairs(3))
    assert [list(row) for row in figure.data[0].z] == [[None] * 3, [0.02, None, None], [0.03, 0.06, None]]
    cells = {
        (x, y): text
        for trace in figure.data[1:]
        for x, y, text in zip(trace.x, trace.y, trace.text, strict=True)
    }
    assert cells[(0, 1)] == "2<br>2 %"
    assert cells[(2, 2)] == "<b>300</b>"
    assert len(cells) == 6
    assert "<b>x</b>" not in str(figure.data[0].customdata)


def test_a_large_matrix_shows_the_largest_with_the_share_alone_in_each_cell():
    figure = overlap.matrix(*pairs(40))
    count = overlap.MOST_CAMPAIGNS
    assert len(figure.data[0].z) == count
    told = {
        (x, y): text
        for trace in figure.data[1:]
        for x, y, text in zip(trace.x, trace.y, trace.text, strict=True)
    }
    assert len(told) == count * (count + 1) / 2
    assert told[(1, 5)] == "12 %"
    assert not any("<br>" in text for text in told.values())
