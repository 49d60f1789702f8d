"""Parameters come from the benchmarks, each with its source, and survive being stored."""

import json
import math

import pytest

from ma.errors import FileProblem
from ma.simulation.params import HIGHEST_RATE, NO_BANDS, ChannelParams, lifted, load
from ma.types import ORDER_VALUE, STEPS, Channel


def test_every_channel_has_every_step_it_can_observe_with_a_source(channels):
    for channel in Channel:
        steps = channels[channel].steps
        assert set(STEPS[channel][1:]) <= set(steps)
        assert all(step.source and 0.0 < step.rate < 1.0 for step in steps.values())


def test_rates_are_those_of_the_benchmarks_per_person_who_reached_the_step_before(channels):
    email, mail = channels[Channel.EMAIL].steps, channels[Channel.DIRECT_MAIL].steps
    assert email["delivered"].rate == pytest.approx(1 - 0.0045)
    assert email["opened"].rate == pytest.approx(0.1568)
    assert email["clicked"].rate == pytest.approx(0.0201 / 0.1568)
    assert email["converted"].rate == pytest.approx(0.0634)
    assert mail["converted"].rate == pytest.approx(0.09 * (1 - 0.0675))
    assert email["opened"].source.startswith("Mailchimp")


def test_parameters_survive_json(channels):
    for params in channels.values():
        assert ChannelParams.from_dict(json.loads(json.dumps(params.to_dict()))) == params


def test_parameters_stored_by_an_earlier_version_still_load(channels):
    for params in channels.values():
        stored = json.loads(json.dumps(params.to_dict()))
        for new in ("order_value", "order_value_lift"):
            del stored[new]
        for step in stored["steps"].values():
            for new in ("shift", "bands", "lift"):
                del step[new]
        stored["frequency_cap"] = {"messages": 4, "days": 30}  # a launch keeps its limits beside them
        assert ChannelParams.from_dict(stored) == params


def test_effects_multiply_and_add_up(channels):
    params = channels[Channel.EMAIL].with_effects({"opened": 0.1, ORDER_VALUE: 0.2})
    again = params.with_effects({"opened": 0.1})
    assert again.steps["opened"].lift == pytest.approx(1.1 * 1.1 - 1)
    assert again.order_value_lift == pytest.approx(0.2)
    assert again.steps["clicked"] == channels[Channel.EMAIL].steps["clicked"]
    assert again.steps["opened"].bands == NO_BANDS
    assert ChannelParams.from_dict(json.loads(json.dumps(again.to_dict()))) == again


def test_an_effect_on_a_step_that_the_channel_lacks_is_refused(channels):
    with pytest.raises(ValueError, match="Direct mail has no step 'opened'"):
        channels[Channel.DIRECT_MAIL].with_effects({"opened": 0.1})


def test_a_lift_makes_nothing_certain_and_nothing_negative():
    assert lifted(0.2, 0.5) == pytest.approx(0.3)
    assert lifted(0.9, 0.5) == HIGHEST_RATE
    assert lifted(1.0, 0.0) == 1.0
    assert lifted(0.9995, 0.5) == 0.9995  # it was there already
    assert lifted(0.2, -2.0) == 0.0


def test_intercepts_do_not_depend_on_shifts_and_lifts(channels):
    params = channels[Channel.SMS]
    assert params.with_effects({"clicked": 0.5}).intercepts() == params.intercepts()
    assert params.with_rates(clicked=0.0).intercepts()["clicked"] == -math.inf


HALF = "channel,metric,value,publisher,as_of\nemail,bounce_rate,0.01,x,2020\n"


def test_a_missing_or_incomplete_file_is_a_problem_with_its_remedy(tmp_path):
    with pytest.raises(FileProblem, match="Restore"):
        load(tmp_path / "nothing.csv")
    (tmp_path / "half.csv").write_text(HALF)
    with pytest.raises(FileProblem, match="lack open_rate of email"):
        load(tmp_path / "half.csv")
