"""One POST to somebody else's server: to the address that was checked, in little time, believing nothing.

Redirects are not followed, and what the receiver answers is not read beyond its headers: this server must not
be a way to look at others.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from ma.errors import InvalidInput
from ma.text import whole_number
from ma.webhooks.addresses import Address, Allowed, parse, resolve

TIMEOUT_SECONDS = 10.0
LONGEST_RETRY_AFTER = timedelta(hours=1)
GONE = 410
_AGENT = "marketing-workbench-webhooks/1"


@dataclass(frozen=True)
class Answer:
    """What came of it. `error` says in words what went wrong, None where it was taken.

    `status` is None where nobody answered. `retry_after` is what the receiver asked for.
    """

    status: int | None
    error: str | None
    seconds: float
    retry_after: timedelta | None = None


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allowed: Allowed,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Answer:
    """Send JSON to an address; how it was answered. Never raises for what the other side does."""
    began = time.monotonic()
    status, error, retry_after = None, None, None
    try:
        address = parse(url, allowed)
        ips = resolve(address, allowed)
        with _Connection(address, ips, timeout_seconds) as connection:
            status, retry_after = connection.post(body, headers)
        error = _refusal(status)
    except InvalidInput as refused:
        error = str(refused)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        late = time.monotonic() - began >= timeout_seconds
        error = f"No answer within {timeout_seconds:g} seconds." if late else _words(problem)
    return Answer(status, error, time.monotonic() - began, retry_after)


class _Connection:
    """A connection to one of the checked addresses that ends after `timeout_seconds`, come what may."""

    def __init__(self, address: Address, ips: Sequence[str], timeout_seconds: float):
        self._address, self._ips = address, ips
        self._ends = time.monotonic() + timeout_seconds
        self._socket: socket.socket | None = None
        # A timeout of the socket is one for each byte: who sends one every few seconds would never be late.
        self._watch = threading.Timer(timeout_seconds, self._hang_up)
        self._watch.daemon = True

    def __enter__(self) -> "_Connection":
        self._watch.start()
        return self

    def __exit__(self, *_) -> None:
        self._watch.cancel()
        if self._socket is not None:
            self._socket.close()

    def post(self, body: bytes, headers: Mapping[str, str]) -> tuple[int, timedelta | None]:
        """The status, and how long the receiver wants to be left alone."""
        address = self._address
        self._socket = self._connect()
        if address.secure:
            # Kept before the handshake, so that this too can be ended.
            self._socket = _trusting().wrap_socket(
                self._socket, server_hostname=address.host, do_handshake_on_connect=False
            )
            self._socket.do_handshake()
        connection = http.client.HTTPConnection(address.host, address.port)
        connection.default_port = 443 if address.secure else 80
        connection.sock = self._socket
        usual = {"content-type": "application/json", "user-agent": _AGENT, "connection": "close"}
        connection.request("POST", address.target, body, {**usual, **headers})
        with connection.getresponse() as answered:
            return answered.status, _asked_for(answered.getheader("retry-after"))

    def _connect(self) -> socket.socket:
        for number, ip in enumerate(self._ips):
            try:
                return socket.create_connection((ip, self._address.port), self._left())
            except OSError:
                if number == len(self._ips) - 1:
                    raise
        raise OSError("no address")

    def _left(self) -> float:
        return max(0.05, self._ends - time.monotonic())

    def _hang_up(self) -> None:
        if self._socket is not None:
            # Not the TLS layer's own: that must not be changed while another thread reads through it.
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


@lru_cache
def _trusting() -> ssl.SSLContext:
    """Whom to trust: what the system trusts, or SSL_CERT_FILE. Reading it takes as long as a delivery."""
    return ssl.create_default_context()


def _asked_for(text: str | None) -> timedelta | None:
    seconds = whole_number((text or "").strip())
    return None if seconds is None else min(timedelta(seconds=seconds), LONGEST_RETRY_AFTER)


def _refusal(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"It answered {status}, a redirect. Redirects are not followed: register the new address."
    if status == GONE:
        return "It answered 410: the receiver is gone for good."
    return f"It answered {status}."


def _words(problem: Exception) -> str:
    """What went wrong, without what the other side said."""
    if isinstance(problem, ssl.SSLCertVerificationError):
        return "Its certificate is not trusted, or is that of another name."
    if isinstance(problem, ssl.SSLError):
        return "No secure connection could be made."
    if isinstance(problem, ConnectionRefusedError):
        return "It refused the connection."
    if isinstance(problem, TimeoutError):
        return "No answer in time."
    if isinstance(problem, http.client.HTTPException | ConnectionError | ValueError):
        return "It ended the connection without an answer."
    return "It cannot be reached."
