"""What tests of subscribers share."""

import pytest

from ma.events.broker import RedisBroker
from ma.settings import settings
from tests.webhooks.receiver import Receiver


@pytest.fixture
def broker(redis_server):
    broker = RedisBroker(redis_server.url)
    yield broker
    broker.close()


@pytest.fixture
def allowed(monkeypatch):
    """Receivers of webhooks may be on this machine."""
    monkeypatch.setenv("MA_WEBHOOK_ALLOW", "127.0.0.1")
    monkeypatch.setenv("MA_SECRET", "a secret of the tests, long enough")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
def receivers(allowed):
    """`receivers()` starts one."""
    made = []

    def start(**options):
        made.append(Receiver(**options))
        return made[-1]

    yield start
    for one in made:
        one.stop()
