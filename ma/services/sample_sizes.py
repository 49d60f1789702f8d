"""How much a campaign's own test can tell: message against message, sent against held out."""

import pandas as pd

from ma.simulation.forecast import Forecast
from ma.simulation.sample_size import detectable_rate, needed_people, power

# A test that would find a difference in so many of 100 cases is called large enough.
TARGET = 0.8
# What a campaign without a holdout is told of: one of this size.
USUAL_HOLDOUT = 0.1
COLUMNS = (
    "comparison", "figure", "people_a", "people_b", "rate_a", "rate_b", "power", "detectable", "needed",
)  # fmt: skip


def comparisons(forecast: Forecast, people: int, *, worth: float = 0.1) -> pd.DataFrame:
    """What the campaign's test can tell, one row per comparison and figure (clicked, converted).

    comparison ("B against A", "Sent against held out"); people_a and people_b; rate_a and rate_b, what the
    forecast expects per person sent (or held out); power, how likely the test finds that difference;
    detectable, the smallest rate above rate_a that it finds in 8 of 10 cases; needed, how large an audience
    would have to be to find a difference: between messages one of `worth` (0.1: a tenth of the rate), between
    sent and held out the one that is expected. NaN where there is nothing to find. `people`: all who can be
    reached. Where nobody is held out, the row of the holdout stands for one of USUAL_HOLDOUT.
    """
    rows = [*_variants(forecast, people, worth), *_holdout(forecast, people)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _variants(forecast: Forecast, people: int, worth: float) -> list[tuple]:
    rows, (first, *others) = [], list(forecast.variants)
    for name in others:
        for figure in ("clicked", "converted"):
            if figure not in forecast.figures:
                continue
            (rate_a, people_a), (rate_b, people_b) = (
                _rate(forecast.variants[variant], figure) for variant in (first, name)
            )
            both = people_a + people_b
            worthy = min(rate_a * (1.0 + worth), 1.0)
            needed = needed_people(rate_a, worthy, share_b=people_b / both) if both else float("nan")
            told = _told(rate_a, rate_b, people_a, people_b)
            rows.append(
                (f"{name} against {first}", figure, *told, needed * people / both if both else needed)
            )
    return rows


def _holdout(forecast: Forecast, people: int) -> list[tuple]:
    share = forecast.plan.holdout_share or USUAL_HOLDOUT
    rate_b, treated = _rate(forecast.figures, "converted")
    extra, _ = _rate(forecast.figures, "incremental_conversions")
    rate_a, held = max(rate_b - extra, 0.0), people * share
    if not forecast.plan.holdout_share:
        treated *= 1.0 - share
    both = held + treated
    needed = needed_people(rate_a, rate_b, share_b=treated / both) if both else float("nan")
    told = _told(rate_a, rate_b, held, treated)
    return [("Sent against held out", "converted", *told, needed * people / both if both else needed)]


def _rate(figures: dict, name: str) -> tuple[float, float]:
    people = float(figures["treated"].mean())
    return (float(figures[name].mean()) / people if people else 0.0), people


def _told(rate_a: float, rate_b: float, people_a: float, people_b: float) -> tuple:
    return (
        people_a,
        people_b,
        rate_a,
        rate_b,
        power(rate_a, rate_b, people_a, people_b) if rate_a != rate_b else float("nan"),
        detectable_rate(rate_a, people_a, people_b, target=TARGET),
    )
