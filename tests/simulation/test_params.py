"""Parameters come from the benchmarks, each with its source, and survive being stored."""

import json

import pytest

from ma.errors import FileProblem
from ma.simulation.params import ChannelParams, load
from ma.types import STEPS, Channel


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


HALF = "channel,metric,value,publisher,as_of\nemail,bounce_rate,0.01,x,2020\n"


def test_a_missing_or_incomplete_file_is_a_problem_with_its_remedy(tmp_path):
    with pytest.raises(FileProblem, match="Restore"):
        load(tmp_path / "nothing.csv")
    (tmp_path / "half.csv").write_text(HALF)
    with pytest.raises(FileProblem, match="lack open_rate of email"):
        load(tmp_path / "half.csv")
