"""Dates, numbers, countries and yes or no as people write them."""

from decimal import ROUND_HALF_UP, Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ma.errors import InvalidInput
from ma.files.values import (
    NumberFormat,
    date_format,
    date_formats,
    number_format,
    parse_amounts,
    parse_countries,
    parse_dates,
    parse_decimals,
    parse_moments,
    parse_numbers,
    parse_text,
    parse_yes_no,
)


def texts(*values):
    return pd.Series(values, dtype="str")


def plain(values):
    return [None if pd.isna(value) else value for value in values.tolist()]


@pytest.mark.parametrize(
    ("cells", "names", "ambiguous"),
    [
        (["2026-12-31", None], ["ymd"], False),
        (["2010-12-01 08:26:00"], ["ymd"], False),
        (["31.12.2026", "1.2.26"], ["dmy"], False),
        (["12/31/2026", "1/2/2026"], ["mdy"], False),
        (["01/02/2026"], ["dmy", "mdy"], True),
        (["02/02/2026"], ["dmy", "mdy"], False),
        (["20261231"], ["compact"], False),
        (["5. März 2026", "31 Dec 2026"], ["d_month_y"], False),
        (["Dec 31, 2026 5:00 pm"], ["month_d_y"], False),
        (["31.02.2026"], [], False),
        (["31.12.2026", "30.11.2026", "soon"], ["dmy"], False),
        (["A", "B"], [], False),
        ([None], [], False),
    ],
)
def test_the_format_of_a_columns_dates_is_found_and_doubt_is_said(cells, names, ambiguous):
    found = date_formats(texts(*cells))
    assert [form.name for form in found] == names
    assert any(form.ambiguous for form in found) is ambiguous


def test_a_format_is_chosen_by_any_of_its_names():
    for text in ("dmy", "day.month.year", "31.12.2026", "DD.MM.YYYY", "dd/mm/yy", "%d-%m-%Y"):
        assert date_format(text).name == "dmy"
    with pytest.raises(InvalidInput, match="no date format"):
        date_format("soon")


def test_days_that_do_not_exist_are_bad_and_empty_cells_are_not():
    days, bad = parse_dates(
        texts("29.02.2024", "29.02.2023", None, " ", "31.12.99 23:59"), date_format("dmy")
    )
    assert bad.tolist() == [False, True, False, False, False]
    assert [None if pd.isna(day) else f"{day:%Y-%m-%d}" for day in days] == [
        "2024-02-29",
        None,
        None,
        None,
        "1999-12-31",
    ]


@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d"]))
@settings(deadline=None, max_examples=40)
def test_every_day_is_read_as_it_was_written(day, written):
    # strftime writes the year 31 as 31, which is a year of two digits.
    if day.year < 1000:
        day = day.replace(year=day.year + 1000, day=min(day.day, 28))
    name = {"%Y-%m-%d": "ymd", "%d.%m.%Y": "dmy", "%m/%d/%Y": "mdy", "%Y%m%d": "compact"}[written]
    days, bad = parse_dates(texts(day.strftime(written)), date_format(name))
    assert not bad.any()
    assert days[0].date() == day


def test_local_times_are_placed_and_given_zones_are_kept():
    cells = texts(
        "2026-01-01 12:00", "2026-07-01T12:00:00.5", "2026-07-01 12:00Z", "2026-07-01 12:00+0530", "x"
    )
    moments, bad = parse_moments(cells, date_format("ymd"), "Europe/Berlin")
    assert bad.tolist() == [False] * 4 + [True]
    assert [f"{moment:%d %H:%M:%S.%f}"[:13] for moment in moments[:4]] == [
        "01 11:00:00.0",
        "01 10:00:00.5",
        "01 12:00:00.0",
        "01 06:30:00.0",
    ]


def test_clock_changes_lose_nothing():
    cells = texts("2026-03-29 02:30", "2026-10-25 02:30")
    moments, bad = parse_moments(cells, date_format("ymd"), "Europe/Berlin")
    assert not bad.any()
    assert [f"{moment:%H:%M}" for moment in moments] == ["01:00", "00:30"]


@pytest.mark.parametrize(
    ("cells", "decimal", "ambiguous"),
    [
        (["2.55", "3.39"], ".", False),
        (["2,55", "1.234,50"], ",", False),
        (["1,234", "2,000"], ".", True),
        (["1,234", "2,5"], ",", False),
        (["1,234,567"], ".", False),
        (["0,125"], ",", False),
        (["5", "12"], ".", False),
        (["€ 1.234,50"], ",", False),
    ],
)
def test_the_decimal_sign_is_found_and_doubt_is_said(cells, decimal, ambiguous):
    assert number_format(texts(*cells)) == NumberFormat(decimal, ambiguous)


def test_amounts_are_exact_minor_units():
    cells = texts(
        "1,234.505", "€ 5", "-3.005", "(7.10)", "5-", "EUR 1'000.00", "1.5e3", ".5", "1,23", "abc", None
    )
    amounts, bad = parse_amounts(cells, NumberFormat("."), "EUR")
    assert plain(amounts) == [123451, 500, -301, -710, -500, 100000, 150000, 50, None, None, None]
    assert bad.tolist() == [False] * 8 + [True, True, False]
    yen, _ = parse_amounts(texts("1.234", "0,5"), NumberFormat(","), "JPY")
    assert plain(yen) == [1234, 1]


@given(
    st.lists(
        st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False), min_size=1, max_size=8
    ),
    st.sampled_from([0, 2, 3]),
    st.sampled_from([".", ","]),
)
@settings(deadline=None, max_examples=40)
def test_numbers_are_read_exactly_and_half_is_rounded_away_from_zero(numbers, digits, decimal):
    written = texts(
        *(
            f"{number:,f}".translate(str.maketrans(",.", ",." if decimal == "." else ".,"))
            for number in numbers
        )
    )
    values, bad = parse_decimals(written, NumberFormat(decimal), digits)
    assert not bad.any()
    expected = [int(number.scaleb(digits).quantize(Decimal(1), ROUND_HALF_UP)) for number in numbers]
    assert values.tolist() == expected


def test_numbers_countries_and_yes_or_no():
    numbers, bad = parse_numbers(texts("1,234.5", "x", "1e999", None))
    assert plain(numbers) == [1234.5, None, None, None]
    assert bad.tolist() == [False, True, True, False]
    countries, bad = parse_countries(
        texts("EIRE", "UK", "usa", "Deutschland", "deu", "Côte d'Ivoire", "RSA", "Unspecified", None)
    )
    assert plain(countries) == ["IE", "GB", "US", "DE", "DE", "CI", "ZA", None, None]
    assert bad.tolist() == [False] * 7 + [True, False]
    answers, bad = parse_yes_no(texts("Ja", "TRUE", "1", "opt-out", "nein", "maybe", None))
    assert plain(answers) == [True, True, True, False, False, None, None]
    assert bad.tolist() == [False] * 5 + [True, False]


def test_text_is_trimmed_and_of_one_form():
    values, bad = parse_text(texts(" Zoe\u0308 ", "00491701", "NA", "  ", None))
    assert plain(values) == ["Zoë", "00491701", "NA", None, None]
    assert not bad.any()


def test_columns_are_suggested_by_name():
    from ma.files.columns import Target, suggest

    targets = [
        Target("external_id", "External id", ("customer id",)),
        Target("email", "E-mail address", ("mail",)),
        Target("first_name", "First name", ("vorname",)),
        Target("at", "Time", ("order date",)),
    ]
    headers = ["CustomerID", "e-mail adress", "VORNAME", "Order_Date", "Shoe size"]
    assert suggest(headers, targets) == {
        "external_id": "CustomerID",
        "email": "e-mail adress",
        "first_name": "VORNAME",
        "at": "Order_Date",
    }
    assert suggest(["Email", "E-Mail"], targets) in ({"email": "Email"}, {"email": "E-Mail"})
