"""What a file says of recipients, put together with what is known of them: a step is taken once, for good."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ma.services.import_outcome_rows import TIMES, Said
from ma.services.import_plans import Rows
from ma.types import FUNNEL_STEPS, Arm

# What only those can have done who were sent a message.
_REACTIONS = ("delivered_at", "bounced_at", "opened_at", "clicked_at", "unsubscribed_at", "complained_at")
_GOT_IT = ("delivered_at", "opened_at", "clicked_at")
_DAY = pd.Timedelta(days=1)


@dataclass
class Merged:
    """`units`: those of the file in their order, then others whose outcome changes too (row -1).

    With TIMES, revenue_minor, variant, held and assigned_at as they will be, `was_` of the first two as they
    are, and whether each is `new` or `known`, and `changed`.
    """

    units: pd.DataFrame
    notes: list[str]


def merge(rows: Rows, said: Said, stored: pd.DataFrame, campaigns: pd.DataFrame) -> Merged:
    """Put both together, and refuse what cannot be true.

    `stored`: campaign, customer_id, arm, and with `was_` variant, assigned_at, TIMES and revenue_minor.
    `campaigns`: began, conversion_window_days and for each step whether it is known (`sees_`), by number.
    """
    units = _joined(said.units, stored)
    here = units["arm"].notna().to_numpy()
    was_held = (units["arm"] == Arm.HOLDOUT.value).fillna(False).to_numpy(dtype=bool)
    refused = _Refusals(rows, said, len(units))
    _who(units, here, was_held, refused)
    held = np.where(here, was_held, units["held"]).astype(bool)
    dropped = _bounces(units, said, refused)
    start = _start(units, here, held, campaigns, refused)
    for name in TIMES[1:]:
        early = units[name] < start
        refused.add(early, name, "This lies before the message was sent. Check both times and their zone.")
    days = campaigns["conversion_window_days"].to_numpy(dtype="int64")[units["campaign"]]
    end = start + pd.to_timedelta(days, unit="D")
    _add_up_orders(units, said, end)
    earlier = sum(int((units[name] < units[f"was_{name}"]).sum()) for name in TIMES[1:])
    late = units["converted_at"] > end
    units["converted_at"] = units["converted_at"].mask(late)
    raw_conversion = units["converted_at"]
    for name in TIMES:
        units[name] = units[f"was_{name}"].fillna(units[name])
    units["sent_at"] = start.mask(held)
    _nest(units, ~held, campaigns)
    units["revenue_minor"] = _revenue(units, raw_conversion)
    units["held"], units["assigned_at"] = held, units["was_assigned_at"].fillna(start)
    units["variant"] = units["was_variant"].fillna(units["variant"]).fillna("A")
    sound = ~refused.mask
    differs = units["revenue_minor"] != units["was_revenue_minor"].fillna(0)
    for name in TIMES:
        differs |= units[name].notna() & units[f"was_{name}"].isna()
    units["new"], units["known"] = sound & ~here, sound & here
    units["changed"] = units["known"] & differs.to_numpy(dtype=bool)
    notes = [
        _note(int((late & sound).sum()), "conversion came", "conversions came", "after the window of the "
              "campaign: not counted as its own. Choose a longer window if they are."),
        _note(earlier, "time is", "times are", "earlier than what is here already: what came first stays."),
        _note(dropped, "message bounced", "messages bounced", "and arrived all the same: no bounce."),
        _note(int((units["changed"] & (units["row"] < 0)).sum()), "person is", "people are", "not in this "
              "file and went further than a step that was unknown until now: taken to have taken it."),
    ]  # fmt: skip
    return Merged(units, [note for note in notes if note])


class _Refusals:
    """Which units are refused; those beside the file cannot be."""

    def __init__(self, rows: Rows, said: Said, count: int):
        self.rows, self.said, self.mask = rows, said, np.zeros(count, dtype=bool)

    def add(self, mask, name: str, problem: str) -> None:
        """Refuse units for a field."""
        mask = np.asarray(mask, dtype=bool)
        if mask.any():
            self.mask |= mask
            self.said.reject(self.rows, mask[: len(self.said.units)], name, problem)


def _joined(units: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    keys = ["campaign", "customer_id"]
    joined = units.merge(stored, on=keys, how="left")
    mine = pd.MultiIndex.from_frame(units[keys].dropna().astype("int64"))
    others = stored[~pd.MultiIndex.from_frame(stored[keys].astype("int64")).isin(mine)]
    if others.empty:
        return joined
    beside = others.assign(row=-1, held=False).reindex(columns=joined.columns)
    return pd.concat([joined, beside.astype(joined.dtypes)], ignore_index=True)


def _who(units: pd.DataFrame, here: np.ndarray, was_held: np.ndarray, refused: _Refusals) -> None:
    """Nobody changes the side of a comparison, or the variant."""
    told = "Here they were sent the campaign, and nobody is held out afterwards. Correct the row."
    refused.add(here & units["held"] & ~was_held, "held_out", told)
    held = was_held | units["held"].to_numpy(dtype=bool)
    told = "They were held out, so they cannot have got a message. Correct one of the two."
    for name in _REACTIONS:
        refused.add(held & units[name].notna(), name, told)
    sent = was_held & ~units["held"].to_numpy(dtype=bool) & units["sent_at"].notna()
    refused.add(sent, "sent_at", "Here they were held out. Leave the row out, or say that they were.")
    other = here & (units["variant"].notna() & (units["variant"] != units["was_variant"])).fillna(False)
    refused.add(other, "variant", "Here they got another variant. Correct it.")


def _bounces(units: pd.DataFrame, said: Said, refused: _Refusals) -> int:
    """A message is delivered or it bounces; how many first bounces of delivered ones were left out."""
    got = units[list(_GOT_IT)].notna().any(axis=1)
    had = units[[f"was_{name}" for name in _GOT_IT]].notna().any(axis=1)
    told = "Here their message bounced, so they cannot have got it. Leave the row out."
    refused.add(got & units["was_bounced_at"].notna(), "bounced_at", told)
    both = units["bounced_at"].notna() & units["was_bounced_at"].isna() & (got | had)
    if said.orders is None:
        told = "Their message bounced, and they got it. Leave out what is not true."
        refused.add(both, "bounced_at", told)
        return 0
    # Services try again after a first bounce, and their logs keep both.
    units["bounced_at"] = units["bounced_at"].mask(both)
    return int(both.sum())


def _start(
    units: pd.DataFrame, here: np.ndarray, held: np.ndarray, campaigns: pd.DataFrame, refused: _Refusals
) -> pd.Series:
    """When each was sent the message, or assigned to be held out."""
    arrived = units["sent_at"].fillna(units["delivered_at"]).fillna(units["bounced_at"])
    began = campaigns["began"].to_numpy()[units["campaign"]]
    began = pd.Series(pd.to_datetime(began, utc=True), index=units.index)
    said = arrived.where(~held, units["sent_at"].fillna(began))
    known = units["was_sent_at"].where(~held, units["was_assigned_at"])
    start = known.where(here, said)
    told = "It is not said when the message was sent to them. Fill it in."
    refused.add(start.isna(), "sent_at", told)
    return start


def _add_up_orders(units: pd.DataFrame, said: Said, end: pd.Series) -> None:
    """Of several conversions, the revenue of those within the window."""
    if said.orders is None:
        return
    orders = said.orders
    inside = orders["at"].to_numpy() <= end.iloc[orders["unit"]].to_numpy()
    paid = orders[inside & orders["revenue_minor"].notna()].groupby("unit")["revenue_minor"].sum()
    units["revenue_minor"] = paid.reindex(units.index).astype("Int64")


def _nest(units: pd.DataFrame, treated: np.ndarray, campaigns: pd.DataFrame) -> None:
    """Who took a step has taken the known ones before it, no later; what is stored stays."""
    last = units["was_sent_at"]
    for step in FUNNEL_STEPS[1:]:
        name, was = f"{step}_at", units[f"was_{step}_at"]
        # What came in before and stands earlier in the funnel cannot be later than this.
        units[name] = units[name].mask(was.isna() & (units[name] < last), last)
        last = was.fillna(last)
    after = pd.Series(pd.NaT, index=units.index, dtype=units["sent_at"].dtype)
    for step in reversed(FUNNEL_STEPS[1:]):
        name = f"{step}_at"
        seen = campaigns[f"sees_{step}"].to_numpy(dtype=bool)[units["campaign"]] & treated
        free = units[f"was_{name}"].isna()
        fill = seen & free & after.notna() & (units[name].isna() | (units[name] > after))
        units[name] = units[name].mask(fill, after)
        after = units[name].where(seen, after).fillna(after)


def _revenue(units: pd.DataFrame, said_at: pd.Series) -> pd.Series:
    """What the conversion brought; it changes only where the file speaks of the same conversion."""
    was = units["was_converted_at"]
    new = units["revenue_minor"].fillna(0)
    same = (said_at == was) & units["revenue_minor"].notna()
    kept = units["was_revenue_minor"].fillna(0).mask(same, new).where(was.notna(), new)
    return kept.where(units["converted_at"].notna(), 0).astype("int64")


def _note(count: int, one: str, many: str, told: str) -> str | None:
    return f"{count:,} {one if count == 1 else many} {told}" if count else None
