"""The rates that a platform's file says, against the counts beside them: does it mean what we mean?"""

import re

import numpy as np
import pandas as pd

from ma.services.import_plans import Rows

# rate -> (the people, what it is a share of here). A platform may divide by another number, always by one.
_SHARES = {
    "open_rate": ("opened", "delivered"),
    "click_rate": ("clicked", "delivered"),
    "conversion_rate": ("converted", "delivered"),
    "unsubscribe_rate": ("unsubscribed", "delivered"),
    "complaint_rate": ("complained", "delivered"),
    "bounce_rate": ("bounced", "sent"),
}
_WORDS = {"sent": "all recipients", "delivered": "those it was delivered to"}
_NAMED = 5
_NUMBER = re.compile(r"^\s*([0-9]*)[.,]?([0-9]*)\s*(%?)\s*$")


def notes(rows: Rows, frame: pd.DataFrame, kept: np.ndarray) -> list[str]:
    """How the file's rates fit its counts, in sentences; nothing where it has no rates.

    All rates but that of bounces have one denominator in a file, the one that fits most rows.
    """
    found = [
        (name, part, *said)
        for name, (part, _) in _SHARES.items()
        if name in rows and (said := _read(rows.texts(name)))[0].notna().any()
    ]
    common = [one for one in found if one[0] != "bounce_rate"]
    fits = {
        whole: sum(int((_fits(frame, one, whole) & kept).sum()) for one in common)
        for whole in ("delivered", "sent")
    }
    divided_by = max(fits, key=fits.get)
    told = []
    if common and divided_by == "sent" and fits["sent"] > fits["delivered"]:
        told.append(
            "The rates of this file are shares of all recipients. Here they are shares of those it was "
            "delivered to, so ours are a little higher."
        )
    for one in found:
        whole = "sent" if one[0] == "bounce_rate" else divided_by
        checked = kept & one[2].notna().to_numpy() & frame[one[1]].notna().to_numpy()
        told += _mismatch(rows, frame, one, whole, checked & ~_fits(frame, one, whole))
    return told


def _mismatch(rows: Rows, frame: pd.DataFrame, one: tuple, whole: str, wrong: np.ndarray) -> list[str]:
    places = np.flatnonzero(wrong)
    if not len(places):
        return []
    name, part, said, _ = one
    label = rows.targets[name].label
    shares = (frame[part] / frame[whole]).astype(float)
    rows_told = "; ".join(
        f"row {rows.numbers(place)}: {said[place]:.2%} in the file, {shares[place]:.2%} by its counts"
        for place in places[:_NAMED]
    )
    more = ", …" if len(places) > _NAMED else ""
    count = f"{len(places):,} row{'' if len(places) == 1 else 's'}"
    return [
        f"{label}: in {count} the file's rate is not its count ÷ {_WORDS[whole]} ({rows_told}{more}). "
        "The counts are taken."
    ]


def _fits(frame: pd.DataFrame, one: tuple, whole: str) -> np.ndarray:
    """Where the rate is the count ÷ whole, as exactly as it is written."""
    _, part, said, precision = one
    share = (frame[part] / frame[whole].where(frame[whole] > 0)).astype("Float64").fillna(0.0).astype(float)
    return ((share - said).abs() <= precision / 2 + 1e-9).to_numpy(dtype=bool)


def _read(texts: pd.Series) -> tuple[pd.Series, pd.Series]:
    """(rates 0-1, what the last digit of each is worth). Without a % they are percent if one is above 1."""
    parts = texts.str.extract(_NUMBER)
    whole, fraction = parts[0].fillna(""), parts[1].fillna("")
    filled = (whole + fraction) != ""
    number = pd.to_numeric(whole.where(whole != "", "0") + "." + fraction.where(fraction != "", "0"))
    number = number.astype(float).where(filled)
    percent = (parts[2] == "%").fillna(False).to_numpy(dtype=bool)
    if not percent.any() and (number > 1).any():
        percent[:] = True
    scale = np.where(percent, 100.0, 1.0)
    precision = pd.Series(10.0 ** -fraction.str.len().to_numpy(dtype=float) / scale, index=texts.index)
    return number / scale, precision
