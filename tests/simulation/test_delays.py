"""How soon people act, against the normal distribution and against simulated people."""

import math
from datetime import UTC, datetime, timedelta
from statistics import NormalDist

import pytest

from ma.simulation.delays import LONGEST_DAYS, in_time
from ma.simulation.funnel import simulate
from ma.types import Channel

SENT = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize("days", [1, 7, 30, 90])
def test_one_step_is_the_log_normal_itself(channels, days):
    step = channels[Channel.DIRECT_MAIL].steps["converted"]
    known = NormalDist().cdf(math.log(days * 86_400 / step.median_seconds) / step.sigma)
    assert in_time(channels[Channel.DIRECT_MAIL], days)["converted"] == pytest.approx(known, abs=1e-4)


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS, Channel.ADS])
def test_a_chain_takes_as_long_as_simulated_people_do(channels, typical, channel):
    certain = dict.fromkeys(channels[channel].steps, 1.0)
    params = channels[channel].with_rates(**certain)
    outcome = simulate(typical, params, seed=1, sent_at=SENT, conversion_window_days=90)
    for days in (1 / 24, 1, 3):
        shares = in_time(params, days)
        for name in params.steps:
            known = (outcome[f"{name}_at"] <= SENT + timedelta(days=days)).mean()
            error = math.sqrt(known * (1 - known) / len(typical))
            assert shares[name] == pytest.approx(known, abs=4 * error + 5e-4), (name, days)


def test_nobody_acts_at_once_and_none_later_than_the_longest_reaction(channels):
    params = channels[Channel.EMAIL]
    assert set(in_time(params, 0.0).values()) == {0.0, 1.0}
    assert in_time(params, 0.0)["sent"] == 1.0
    assert in_time(params, math.inf) == in_time(params, LONGEST_DAYS)
    shares = in_time(params, 2.0)
    assert shares["delivered"] >= shares["opened"] >= shares["clicked"] >= shares["converted"] > 0.5
