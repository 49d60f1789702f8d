"""What the app does beside its screens: scheduled work, and events as far as no other process does them."""

import pytest

from ma.events.modules import LISTENERS
from ma.settings import settings
from ui import server

ALWAYS = [("worker", "run_forever")]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, [*ALWAYS, ("deliveries", "run_forever"), ("loop", "run_in_process")]),
        (
            {"MA_EVENTS_INSIDE": "false"},
            [*ALWAYS, ("deliveries", "run_forever"), ("loop", "run_in_process")],
        ),
        (
            {"MA_REDIS_URL": "redis://localhost:1/0"},
            [
                *ALWAYS,
                ("deliveries", "run_forever"),
                ("relay", "run_forever"),
                *[("loop", "run_forever")] * len(LISTENERS),
            ],
        ),
        (
            {"MA_REDIS_URL": "redis://localhost:1/0", "MA_EVENTS_INSIDE": "false"},
            ALWAYS,
        ),
    ],
)
def test_events_are_handed_over_by_exactly_one_way(monkeypatch, variables, expected):
    monkeypatch.delenv("MA_REDIS_URL", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    jobs = [(run.__module__.rpartition(".")[2], run.__name__) for run, _ in server._jobs()]
    assert jobs == expected
