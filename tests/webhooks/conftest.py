"""What tests of webhooks share."""

import pytest

from tests.webhooks.receiver import Receiver


@pytest.fixture
def receiver():
    """A server of another system that takes everything."""
    one = Receiver()
    yield one
    one.stop()
