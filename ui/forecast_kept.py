"""Forecasts that were worked out already."""

from collections.abc import Callable
from datetime import datetime

from ma.analytics import calibration
from ma.services import forecasts
from ma.services.forecasts import Basis
from ma.simulation.forecast import Forecast, Plan
from ui.kept import kept
from ui.session import reading

_READING = "Reading who can be reached …"


def basis(campaign: dict, as_of: datetime) -> tuple[Basis, tuple]:
    """What the forecasts of a campaign stand on, and the key under which they are kept."""
    key = (as_of, "basis", campaign["id"], campaign["version"])

    def work() -> Basis:
        with reading() as session:
            return forecasts.basis(session, campaign, at=as_of)

    return _of(key, work, _READING), key


def elsewhere(ground: Basis, key: tuple, campaign: dict, as_of: datetime) -> tuple[Basis, tuple]:
    """What forecasts stand on if the campaign goes to the segment that `campaign` names, and the key."""
    key = (*key, "segment", campaign["segment_id"])

    def work() -> Basis:
        with reading() as session:
            return forecasts.elsewhere(session, ground, campaign, at=as_of)

    return _of(key, work, _READING), key


def of_plan(ground: Basis, key: tuple, plan: Plan) -> Forecast:
    """The forecast of one plan."""
    return _of((*key, repr(plan)), lambda: forecasts.of_plan(ground, plan))


def swings(ground: Basis, key: tuple, plan: Plan):
    """What each assumption alone can change, and the middle from which it does (see services.forecasts)."""
    return _of((*key, "swings", repr(plan)), lambda: forecasts.swings(ground, plan))


def record(as_of: datetime):
    """What was forecast at each launch against what happened."""

    def work():
        with reading() as session:
            return calibration.forecast_record(session, as_of=as_of)

    return _of((as_of, "forecast record"), work)


def _of(key: tuple, work: Callable, words: str = ""):
    as_of, *rest = key
    return kept(tuple(rest), as_of, work, words=words).value
