"""What a test says, in words: also that it says nothing, not yet, or nothing that can be believed."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from ma.analytics.experiment_arms import (
    ALARM,
    FIRST,
    HELD_OUT,
    OK,
    UNKNOWN,
    WARNING,
    Difference,
    Experiment,
)
from ma.analytics.significance import ALPHA

# Findings. Of the messages: "better" (one converts more people than A), "worse" (none does, and one fewer);
# of the holdout: sent against held out. Before them come what forbids a finding, in this order.
NOBODY, SPLIT_ALARM, OPEN = "nobody", "split alarm", "not over"
BETTER, WORSE, NONE = "better", "worse", "no difference"


def verdict(test: Experiment, compared: Sequence[Difference], *, zone: str) -> dict[str, str | None]:
    """messages_finding and holdout_finding (missing where there is no such comparison), and the verdict.

    compared: the differences of the conversion rates (see experiments.experiment_differences).
    """
    parts = {
        "messages_finding": [row for row in compared if row.label != HELD_OUT],
        "holdout_finding": [row for row in compared if row.label == HELD_OUT],
    }
    findings = {name: _finding(test, rows) if len(rows) else None for name, rows in parts.items()}
    said = [split(test)] if test.sample_ratio in (ALARM, WARNING) else []
    some = set(findings.values()) - {None}
    if some <= {NOBODY}:
        said = ["There is nobody to compare yet." if some else "Conversions are unknown: it can say nothing."]
    elif SPLIT_ALARM in some:
        said.append("No winner can be named: find the cause first.")
    else:
        if OPEN in some:
            said.append(_not_over(test.campaign, zone))
        for name, words in (("messages_finding", _messages), ("holdout_finding", _holdout)):
            if findings[name] not in (None, NOBODY):
                said.append(words(parts[name], findings[name]))
    return findings | {"verdict": " ".join(filter(None, said))}


def split(test: Experiment) -> str:
    """Whether people are split over the arms as planned, in words."""
    if test.sample_ratio == UNKNOWN:
        if any(math.isnan(arm["share"]) for arm in test.arms):
            return "The planned shares are not known, so the split of people cannot be checked."
        return "The split of people cannot be checked: too few people, or a budget and waves decided it."
    everybody = math.fsum(arm["people"] for arm in test.arms)
    shares = ", ".join(
        f"{arm['label']} {arm['people'] / everybody * 100:.1f} % (planned {arm['share'] * 100:.1f} %)"
        for arm in test.arms
    )
    p_value = f"p {_p_words(test.split_p_value)}"
    if test.sample_ratio == OK:
        return f"People are split as planned: {shares}; {p_value}."
    if test.sample_ratio == WARNING:
        return f"The split of people is unusual, so read this with care: {shares}; {p_value}."
    return (
        f"People are not split as planned: {shares}; {p_value}. Something sorted them, so the arms are not "
        "alike and their differences cannot be believed."
    )


def points(value: float, *, sign: bool = True) -> str:
    """A difference of rates in percentage points: "+0.42"; – where unknown."""
    if value != value:
        return "–"
    digits = 2 if 0.0 < abs(value) < 0.00995 else 1
    return f"{value * 100:{'+' if sign else ''}.{digits}f}"


def _finding(test: Experiment, rows: Sequence[Difference]) -> str:
    if not any(min(row.people_a, row.people_b) > 0 for row in rows):
        return NOBODY
    if test.sample_ratio == ALARM:
        return SPLIT_ALARM
    if not test.campaign["over"]:
        return OPEN
    clear = [row for row in rows if row.p_adjusted < ALPHA]
    if not clear:
        return NONE
    return BETTER if any(row.difference > 0 for row in clear) else WORSE


def _not_over(campaign: Mapping, zone: str) -> str:
    waves, ends_at = campaign["waves_to_come"], campaign["ends_at"]
    said = f"{waves} {'wave has' if waves == 1 else 'waves have'} still to go out, " if waves else ""
    if ends_at is None:
        said += "and until when conversions count is not known yet"
    else:
        said += f"{'and ' if waves else ''}conversions count until {_day(ends_at, zone)}"
    return (
        f"Not over: {said}. Do not stop it at the first significant look: whoever looks often finds "
        "differences that are not there."
    )


def _messages(rows: Sequence[Difference], finding: str) -> str:
    if finding == OPEN:
        seen = [f"{row.label} {_band(row)}" for row in rows if row.difference == row.difference]
        return f"So far against {FIRST}: {', '.join(seen)}." if seen else ""
    if finding == NONE:
        largest = max(
            (row.detectable_effect for row in rows if row.detectable_effect >= 0.0), default=math.nan
        )
        return (
            f"No difference found in conversions between {FIRST} and {_list(rows)}; this test could have "
            f"seen ± {points(largest, sign=False)} percentage points."
        )
    clear = [row for row in rows if row.p_adjusted < ALPHA]
    better, worse = ([row for row in clear if row.difference * way > 0] for way in (1, -1))
    if better:
        best = max(better, key=lambda row: row.value_b)
        said = f"{best.label} converted more people than {FIRST}: {_rates(best, FIRST)}."
        if rest := [row for row in better if row is not best]:
            said += f" So did {_list(rest)}; which of them is best, this does not decide."
    else:
        first = min(worse, key=lambda row: row.p_adjusted)
        said = (
            f"{first.label} converted fewer people than {FIRST}: {_rates(first, FIRST)}. Stay with {FIRST}."
        )
        worse = [row for row in worse if row is not first]
    if worse:
        said += f" {_list(worse)} converted fewer than {FIRST}."
    if unclear := [row for row in rows if not row.p_adjusted < ALPHA]:
        said += f" Between {FIRST} and {_list(unclear)} no difference was found."
    return said


def _holdout(rows: Sequence[Difference], finding: str) -> str:
    [row] = rows
    if finding == OPEN:
        if row.difference != row.difference:
            return ""
        return f"So far sent against held out: {_band(row)}."
    if finding == NONE:
        return (
            "No effect found against those held out: "
            f"{_band(row)}; this test could have seen "
            f"± {points(row.detectable_effect, sign=False)} percentage points."
        )
    people = [abs(value) * row.people_b for value in (row.difference, row.low, row.high)]
    size = f"about {people[0]:,.0f} people ({min(people[1:]):,.0f} to {max(people[1:]):,.0f})"
    if finding == BETTER:
        return f"It brought conversions: {_rates(row, 'those held out')}. That is {size} more."
    return (
        f"It cost conversions: those who were sent it bought less often, {_rates(row, 'those held out')}. "
        f"That is {size} fewer."
    )


def _rates(row: Difference, against: str) -> str:
    rates = f"{_percent(row.value_b)} against {_percent(row.value_a)} of {against}"
    return f"{rates}, {_band(row)}, p {_p_words(row.p_adjusted)}"


def _band(row: Difference) -> str:
    return f"{points(row.difference)} percentage points ({points(row.low)} to {points(row.high)})"


def _percent(rate: float) -> str:
    return f"{rate * 100:.{2 if 0.0 < rate < 0.00995 else 1}f} %"


def _p_words(p_value: float) -> str:
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.2g}"


def _list(rows: Sequence[Difference]) -> str:
    *most, last = (row.label for row in rows)
    return f"{', '.join(most)} and {last}" if most else last


def _day(moment: datetime, zone: str) -> str:
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local.day} {local:%B %Y}"
