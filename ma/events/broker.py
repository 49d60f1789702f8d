"""The event bus: a Redis stream that keeps events, and a channel that rings for live listeners."""

import json
from collections.abc import Sequence

import redis

from ma.errors import BrokerUnavailable
from ma.models import OutboxEvent

STREAM = CHANNEL = "crm_events"
TIMEOUT_SECONDS = 5


class RedisBroker:
    """Sends events to the stream and the channel `crm_events` of one Redis server."""

    def __init__(self, url: str):
        self._client = redis.Redis.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )

    def send(self, events: Sequence[OutboxEvent]) -> None:
        """Append events to the stream in order and ring the channel for each.

        Raises BrokerUnavailable; some events may have arrived then, so listeners act once per event id.
        """
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for event in events:
                    message = to_message(event)
                    pipeline.xadd(STREAM, message)
                    pipeline.publish(CHANNEL, json.dumps({**message, "payload": event.payload}))
                pipeline.execute()
        except redis.RedisError as error:
            raise BrokerUnavailable(f"Redis did not answer: {type(error).__name__}.") from error

    def ping(self) -> None:
        """Raises BrokerUnavailable unless the server answers."""
        try:
            self._client.ping()
        except redis.RedisError as error:
            raise BrokerUnavailable(f"Redis did not answer: {type(error).__name__}.") from error

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


def to_message(event: OutboxEvent) -> dict[str, str]:
    """An event as the flat text fields of a stream entry; `payload` is JSON."""
    return {
        "event_id": event.event_id,
        "type": event.type,
        "version": str(event.version),
        "occurred_at": event.occurred_at.isoformat(),
        "payload": json.dumps(event.payload),
    }
