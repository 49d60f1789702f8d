"""Text columns into values, set-based: each function returns (values, bad), aligned with `texts`.

Each distinct text is looked at once. An empty cell is a missing value and never bad; where `bad` is True
the value is missing too. Dates are in `dates.py`, numbers in `numbers.py`; all of it is reachable here.
"""

import gettext
import unicodedata
from functools import lru_cache

import pandas as pd

from ma.files.dates import DateFormat, date_format, date_formats, parse_dates, parse_moments
from ma.files.distinct import by_distinct
from ma.files.numbers import NumberFormat, number_format, parse_amounts, parse_decimals, parse_numbers
from ma.text import fold_accents

__all__ = [
    "DateFormat",
    "NumberFormat",
    "date_format",
    "date_formats",
    "number_format",
    "parse_amounts",
    "parse_countries",
    "parse_dates",
    "parse_decimals",
    "parse_moments",
    "parse_numbers",
    "parse_text",
    "parse_yes_no",
]

_YES = "yes y true t 1 x on ja j wahr oui vrai si sim optin optedin subscribed granted allowed active"
_NO = "no n false f 0 - off nein falsch non faux nao optout optedout unsubscribed denied refused"
# What people write beside the names of ISO 3166; without accents, dots, commas and blanks.
_ALSO = {
    "eire": "IE",
    "uk": "GB",
    "england": "GB",
    "scotland": "GB",
    "wales": "GB",
    "northernireland": "GB",
    "britain": "GB",
    "greatbritain": "GB",
    "usa": "US",
    "us": "US",
    "america": "US",
    "unitedstatesofamerica": "US",
    "rsa": "ZA",
    "uae": "AE",
    "holland": "NL",
    "thenetherlands": "NL",
    "russia": "RU",
    "southkorea": "KR",
    "northkorea": "KP",
    "korea": "KR",
    "czechrepublic": "CZ",
    "turkey": "TR",
    "macedonia": "MK",
    "ivorycoast": "CI",
    "burma": "MM",
    "swaziland": "SZ",
    "capeverde": "CV",
    "easttimor": "TL",
    "vatican": "VA",
    "hongkong": "HK",
    "macau": "MO",
    "brd": "DE",
    "westgermany": "DE",
}
_LANGUAGES = ("de", "fr", "es", "it", "nl")


def parse_text(texts: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Text trimmed and in one Unicode form (NFC), otherwise as typed; nothing but blanks is missing."""

    def one(text: str):
        return unicodedata.normalize("NFC", text).strip() or None, False

    return by_distinct(texts, one, "str")


def parse_yes_no(texts: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Yes and no in the words and signs of several languages, as `boolean`."""
    meaning = dict.fromkeys(_YES.split(), True) | dict.fromkeys(_NO.split(), False)

    def one(text: str):
        folded = fold_accents(text)
        word = folded if folded == "-" else _letters(folded)
        value = meaning.get(word)
        return value, value is None and bool(folded)

    return by_distinct(texts, one, "boolean")


def parse_countries(texts: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Countries by name (in six languages), two or three letters, as ISO 3166 alpha-2."""

    def one(text: str):
        word = _letters(fold_accents(text))
        value = _countries().get(word)
        return value, value is None and bool(text.strip())

    return by_distinct(texts, one, "str")


@lru_cache
def _countries() -> dict[str, str]:
    """Every known spelling -> alpha-2; the official English one wins over the others."""
    import pycountry

    known: dict[str, str] = {}
    for language in _LANGUAGES:
        try:
            translate = gettext.translation("iso3166-1", pycountry.LOCALES_DIR, languages=[language]).gettext
        except OSError:
            continue
        for country in pycountry.countries:
            known[_letters(fold_accents(translate(country.name)))] = country.alpha_2
    known |= _ALSO
    for country in pycountry.countries:
        for name in ("name", "common_name", "official_name", "alpha_3", "alpha_2"):
            if spelling := getattr(country, name, None):
                known[_letters(fold_accents(spelling))] = country.alpha_2
    known.pop("", None)
    return known


def _letters(folded: str) -> str:
    return "".join(c for c in folded if c.isalnum())
