"""What tests of subscribers share."""

import pytest

from ma.events.broker import RedisBroker


@pytest.fixture
def broker(redis_server):
    broker = RedisBroker(redis_server.url)
    yield broker
    broker.close()
