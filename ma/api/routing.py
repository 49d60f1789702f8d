"""The way of a request: who asks is settled before the body is read, and every error becomes a problem.

Nothing gets past us to a log that would print what an error holds.
"""

import re
from collections.abc import Awaitable, Callable
from enum import StrEnum

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from ma.api import problems
from ma.api.answers import sent
from ma.api.asking import SAFE, Replayed, asking
from ma.api.decoding import document
from ma.services import idempotency

MB = 1024 * 1024
MOST_BYTES = MB
_JSON = re.compile(r"application/(\S+\+)?json")
Handler = Callable[[Request], Awaitable[Response]]


class Turn(StrEnum):
    """What waits for what: reading one thing or a page never waits for what counts a million people."""

    SHORT = "short"
    LONG = "long"


class Read(Request):
    """A request whose body was read: what stands in it is `document`."""

    document: object = None

    async def json(self) -> object:
        """For FastAPI, which makes the arguments of a route of it."""
        return self.document


class Open(APIRoute):
    """A route for everybody: problems are told, and bodies have an end."""

    most_bytes = MOST_BYTES
    turn = Turn.SHORT

    def get_route_handler(self) -> Handler:
        answer = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await self.reply(request, answer)
            except ClientDisconnect:
                # Nobody is there to read it.
                return Response(status_code=400)
            except Replayed as replayed:
                return sent(replayed.answer, **{"Idempotency-Replayed": "true"})
            except Exception as error:
                return problems.response(error, doing=f"{request.method} {self.path_format}")

        return told

    async def reply(self, request: Request, answer: Handler) -> Response:
        """Read the body as far as it may go, then answer."""
        request = await self.take(request)
        async with request.app.state.turns[self.turn]:
            return await answer(request)

    async def take(self, request: Request) -> Request:
        """The request with its body, which is at most `most_bytes` long and JSON."""
        if request.method in SAFE:
            return request
        # A length that is not told, or is a lie, is counted on its way.
        told = request.headers.get("content-length", "")
        if told.isdigit() and int(told) > self.most_bytes:
            raise _too_large(self.most_bytes)
        whole = Read(request.scope, _limited(request.receive, self.most_bytes))
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if body := await whole.body():
            if not _JSON.fullmatch(kind):
                raise problems.WrongMediaType("Send JSON, with the header Content-Type: application/json.")
            whole.document = document(body)
        return whole


class Guarded(Open):
    """A route for those who say who they are."""

    async def reply(self, request: Request, answer: Handler) -> Response:
        """Settle who asks and whether it was answered before, then answer."""
        turns = request.app.state.turns
        async with turns[Turn.SHORT]:
            ask = await run_in_threadpool(asking, request)
        # Without a turn: whoever sends slowly keeps nobody else waiting.
        request = await self.take(request)
        if ask.key:
            parts = (request.method, request.url.path, request.url.query, await request.body())
            ask.request_hash = idempotency.request_hash(*parts)
        request.state.ask = ask
        async with turns[self.turn]:
            if ask.key:
                await run_in_threadpool(ask.replay)
            return await answer(request)


class Long(Guarded):
    """A route that may count all people."""

    turn = Turn.LONG


class Intake(Long):
    """A route that takes many rows at once."""

    most_bytes = 10 * MB


def _limited(receive, most: int):
    size = 0

    async def receiving():
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise _too_large(most)
        return message

    return receiving


def _too_large(most: int) -> problems.TooLarge:
    return problems.TooLarge(f"The body is longer than {most // MB} MB. Send it in parts.")
