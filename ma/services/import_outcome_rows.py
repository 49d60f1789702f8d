"""What a file says of each recipient of each campaign: in a row of their own, or in a row for each step."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from ma.money import digits
from ma.services import import_values as values
from ma.services.import_buyers import Buyers
from ma.services.import_campaigns import instants
from ma.services.import_customers import duplicates
from ma.services.import_plans import TEXT, Rows
from ma.text import words

STEPS = ("sent", "delivered", "bounced", "opened", "clicked", "converted", "unsubscribed", "complained")
TIMES = tuple(f"{step}_at" for step in STEPS)
HELD_OUT = "held out"
VARIANTS = "ABCDEFGH"

# As e-mail services call them in their logs, without blanks and signs.
_STEP_WORDS = {
    "sent": "sent send sends processed messagesent emailsent sentemail",
    "delivered": "delivered delivery deliver received receivedemail",
    "bounced": "bounced bounce bounces hardbounce softbounce bouncedemail undelivered failed",
    "opened": "opened open opens firstopen uniqueopen openedemail read",
    "clicked": "clicked click clicks firstclick uniqueclick clickedemail linkclicked",
    "converted": "converted conversion order ordered purchase purchased placedorder",
    "unsubscribed": "unsubscribed unsubscribe unsub optout optedout groupunsubscribe",
    "complained": "complained complaint spam spamreport spamcomplaint abuse markedasspam markedemailasspam",
    HELD_OUT: "heldout holdout control controlgroup",
}
_STEP_OF = {word: step for step, known in _STEP_WORDS.items() for word in known.split()}
_SAME = "Row {row} is the same recipient of the same campaign and says something else. Keep one row for each."
_NEGATIVE = "The revenue cannot be negative. Correct it: what was given back is an order of its own."


@dataclass
class Said:
    """`units`: one row for each recipient of a campaign, numbered from 0: campaign, customer_id, row (its
    first one), held, variant and revenue_minor (missing: not said), and TIMES.

    `of_row`: the unit of each row, -1 where it has none. `known`: the steps the file can tell. `orders`: of a
    file with a row for each step, unit, at and revenue_minor of every conversion; else None.
    """

    units: pd.DataFrame
    of_row: np.ndarray
    known: tuple[str, ...]
    orders: pd.DataFrame | None = None

    def reject(self, rows: Rows, mask: np.ndarray, name: str, problem: str) -> None:
        """Refuse all that is said of some units; `name`: the field to blame, as far as it has a column."""
        if name not in rows and "step" in rows:
            name = "at" if name in TIMES else name
        rows.reject(np.append(np.asarray(mask, dtype=bool), False)[self.of_row], name, problem)


def read(
    rows: Rows, campaign: np.ndarray, who: Buyers, key: str, *, timezone: str, currency: str, at: datetime
) -> Said:
    """What the rows say that are not refused; `campaign` and `who` are by row, `key` is what people go by."""
    both = {
        "variant": _variants(rows),
        "held": values.flags(rows, "held_out").fillna(False).astype(bool).to_numpy()
        if "held_out" in rows
        else np.zeros(len(rows), dtype=bool),
        "revenue_minor": _revenue(rows, currency),
    }
    keys = pd.Series(_keys(campaign, who))
    if "step" in rows:
        return _by_step(rows, campaign, who, keys, both, timezone, at)
    return _by_person(rows, campaign, who, key, keys, both, timezone, at)


def _by_person(
    rows: Rows, campaign, who: Buyers, key: str, keys: pd.Series, both: dict, timezone, at
) -> Said:
    times = {
        name: instants(rows, name, timezone=timezone, at=at)
        if name in rows
        else pd.Series(pd.NaT, index=range(len(rows)), dtype="datetime64[us, UTC]")
        for name in TIMES
    }
    if "revenue" in rows:
        without = times["converted_at"].isna() & (both["revenue_minor"] > 0).fillna(False)
        rows.reject(without, "revenue", "There is revenue and no conversion. Fill in when they converted.")
    frame = pd.DataFrame({"campaign": campaign, "customer_id": who.customer_id, **both, **times}, copy=False)
    said = frame[[name for name in frame if name not in TIMES or name in rows]]
    again = duplicates(rows, said, keys, key, _SAME)
    kept = ~rows.wrong & ~again
    of_row = np.full(len(rows), -1, dtype="int64")
    of_row[kept] = np.arange(kept.sum())
    units = frame.assign(row=np.arange(len(rows)))[kept].reset_index(drop=True)
    known = tuple(step for step in STEPS if f"{step}_at" in rows)
    return Said(units, of_row, known)


def _by_step(rows: Rows, campaign, who: Buyers, keys: pd.Series, both: dict, timezone, at) -> Said:
    step = values.texts(rows, "step", _step)
    rows.reject(step.isna(), "step", "There is no step. Fill it in.")
    moment = instants(rows, "at", timezone=timezone, at=at)
    rows.reject(moment.isna(), "at", "There is no time. Fill it in.")
    sold = (both["revenue_minor"] > 0).fillna(False).to_numpy(dtype=bool)
    rows.reject(sold & (step != "converted"), "revenue", "Only a conversion brings revenue. Correct the row.")
    _one_variant(rows, keys, both["variant"])
    kept = ~rows.wrong
    codes, first = pd.factorize(keys.where(kept))
    of_row = codes.astype("int64")
    count = len(first)
    row = pd.Series(np.flatnonzero(codes >= 0)).groupby(codes[codes >= 0]).first().reindex(range(count))
    row = row.to_numpy(dtype="int64")
    units = pd.DataFrame({"campaign": campaign[row], "customer_id": who.customer_id.iloc[row].to_numpy()})
    units["row"] = row
    held = both["held"] | (step == HELD_OUT).to_numpy(dtype=bool)
    units["held"] = np.bincount(codes[kept], weights=held[kept], minlength=count) > 0
    units["variant"] = both["variant"][kept].groupby(codes[kept]).first().reindex(range(count)).astype(TEXT)
    for name in STEPS:
        taken = kept & (step == name).to_numpy(dtype=bool)
        if name == "sent":
            # Of people held out, when they were assigned.
            taken |= kept & (step == HELD_OUT).to_numpy(dtype=bool)
        first_at = moment[taken].groupby(codes[taken]).min()
        units[f"{name}_at"] = first_at.reindex(range(count)).astype("datetime64[us, UTC]")
    taken = kept & (step == "converted").to_numpy(dtype=bool)
    orders = pd.DataFrame({"unit": codes, "at": moment, "revenue_minor": both["revenue_minor"]})[taken]
    units["revenue_minor"] = pd.array([pd.NA] * count, dtype="Int64")
    known = tuple(name for name in STEPS if name == "sent" or (step == name).any())
    return Said(units, of_row, known, orders)


def _keys(campaign: np.ndarray, who: Buyers) -> pd.arrays.IntegerArray:
    """A number for each recipient of each campaign; missing where a row names neither."""
    known = who.customer_id.notna().to_numpy()
    others, _ = pd.factorize(who.identity.mask(known))
    # Customers by their id; who is still to be added by who they say they are.
    person = np.where(known, who.customer_id.fillna(0).to_numpy(dtype="int64"), -1 - others)
    people, _ = pd.factorize(person)
    keys = campaign * (people.max(initial=0) + 1) + people
    nobody = (campaign < 0) | (~known & (others < 0))
    return pd.arrays.IntegerArray(keys, nobody)


def _one_variant(rows: Rows, keys: pd.Series, variant: pd.Series) -> None:
    first = variant.where(~rows.wrong).groupby(keys).transform("first")
    told = "Another row says another variant of the same recipient. Correct one of them."
    rows.reject(variant.notna() & first.notna() & (variant != first), "variant", told)


def _variants(rows: Rows) -> pd.Series:
    if "variant" not in rows:
        return pd.Series(np.nan, index=range(len(rows)), dtype=TEXT)
    return values.texts(rows, "variant", _variant)


def _variant(text: str) -> tuple[str | None, str | None]:
    name = "".join(words(text)).removeprefix("variant").removeprefix("version").upper()
    if len(name) == 1 and name in VARIANTS:
        return name, None
    return None, f"A variant is one of the letters {VARIANTS[0]} to {VARIANTS[-1]}. Correct it."


def _step(text: str) -> tuple[str | None, str | None]:
    step = _STEP_OF.get("".join(words(text)))
    return step, None if step else f"This is no step. Use one of {', '.join(STEPS)}, {HELD_OUT}."


def _revenue(rows: Rows, currency: str) -> pd.Series:
    if "revenue" not in rows:
        return pd.Series(pd.NA, index=range(len(rows)), dtype="Int64")
    found = values.decimals(rows, "revenue", digits(currency))
    rows.reject((found < 0).fillna(False), "revenue", _NEGATIVE)
    return found
