"""Signing what is sent, as Standard Webhooks (standardwebhooks.com) has it, so that its origin can be proven.

A webhook's secret is derived from the workspace's key and a random salt: it stands nowhere in the database,
and whoever has a copy of that alone can sign nothing.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from secrets import token_hex

PURPOSE = "webhooks"
_BEGINNING = "whsec_"


def new_salt() -> str:
    """What makes a secret another one."""
    return token_hex(32)


def derived(key: bytes, salt: str) -> bytes:
    """The secret of a salt, under the workspace's key for webhooks."""
    return hmac.digest(key, salt.encode(), "sha256")


def shown(secret: bytes) -> str:
    """A secret as receivers are given it."""
    return _BEGINNING + base64.b64encode(secret).decode()


def digest(secret: bytes) -> str:
    """What tells whether a secret is still the same, and nothing else about it."""
    return hashlib.sha256(b"webhook secret " + secret).hexdigest()


def headers(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of a message: its id, when it is sent (Unix seconds), and a signature by each secret."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    made = [base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{one}" for one in made),
    }
