"""How many requests the API answered and how long that took, since this process started."""

import time
from collections import Counter

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The upper ends of the classes of the histogram, in seconds.
BOUNDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_METHODS = ("GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS")


class Requests:
    """Counted by method, address and status; `within` by the first bound that a request kept.

    An address is that of the description (`/customers/{customer_id}`), so that there are only so many.
    """

    def __init__(self):
        self.answered: Counter[tuple[str, str, int]] = Counter()
        self.within: Counter[float] = Counter()
        self.seconds = 0.0

    def add(self, method: str, address: str, status: int, seconds: float) -> None:
        """Count one."""
        self.answered[method if method in _METHODS else "other", address, status] += 1
        self.within[next((bound for bound in BOUNDS if seconds <= bound), float("inf"))] += 1
        self.seconds += seconds


class Measured:
    """Counts what goes through it."""

    def __init__(self, app: ASGIApp, requests: Requests):
        self.app, self.requests = app, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status, above = time.perf_counter(), 500, scope.get("route")

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            route = scope.get("route")
            address = "other" if route is above else route.path
            self.requests.add(scope["method"], address, status, time.perf_counter() - start)
