"""A client that asks an application in this process, over one event loop for all tests."""

import asyncio
import json
import threading
from dataclasses import dataclass
from functools import cached_property
from http.cookies import SimpleCookie
from urllib.parse import quote, unquote, urlencode

HOST = "http://shop.test"
_loop = asyncio.new_event_loop()
threading.Thread(target=_loop.run_forever, name="test-server", daemon=True).start()


class Headers(dict):
    """Headers by their name, however it is written."""

    def __getitem__(self, name):
        return super().__getitem__(name.lower())

    def __contains__(self, name):
        return super().__contains__(name.lower())


@dataclass
class Answer:
    """What was answered."""

    status_code: int
    headers: Headers
    content: bytes

    @cached_property
    def text(self) -> str:
        return self.content.decode()

    def json(self):
        return json.loads(self.content)


class Client:
    """Asks with headers of its own and keeps cookies, as a browser or a program does."""

    def __init__(self, app, headers=None):
        self.app, self.headers, self.cookies = app, dict(headers or {}), {}

    def get(self, address, **given) -> Answer:
        return self.request("GET", address, **given)

    def post(self, address, **given) -> Answer:
        return self.request("POST", address, **given)

    def patch(self, address, **given) -> Answer:
        return self.request("PATCH", address, **given)

    def delete(self, address, **given) -> Answer:
        return self.request("DELETE", address, **given)

    def request(
        self, method, address, *, json=None, content=b"", params=None, headers=None, parts=None
    ) -> Answer:
        """Ask; `parts` is a body that comes in pieces, without saying how long it is."""
        address = address.removeprefix(HOST) + ("?" + urlencode(params) if params else "")
        body = content.encode() if isinstance(content, str) else content
        named = {"host": "shop.test"} | {name.lower(): value for name, value in self.headers.items()}
        if json is not None:
            body, named["content-type"] = _encoded(json), "application/json"
        if parts is None:
            named["content-length"] = str(len(body))
        named |= {name.lower(): value for name, value in (headers or {}).items()}
        if self.cookies and "cookie" not in named:
            named["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        path, _, query = address.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method.upper(),
            "path": unquote(path),
            "raw_path": quote(path, safe="/%").encode(),
            "query_string": quote(query, safe='=&%+,:;{}[]"').encode(),
            "headers": [(name.encode(), _bytes(value)) for name, value in named.items()],
            "scheme": "http",
            "server": ("shop.test", 80),
            "client": ("203.0.113.7", 50_000),
            "root_path": "",
            "state": {},
        }
        asked = _ask(self.app, scope, list(parts or [body]))
        answer = asyncio.run_coroutine_threadsafe(asked, _loop).result(timeout=60)
        self._keep(answer)
        return answer

    def _keep(self, answer: Answer) -> None:
        if "set-cookie" in answer.headers:
            for name, cookie in SimpleCookie(answer.headers["set-cookie"]).items():
                self.cookies[name] = cookie.value


async def _ask(app, scope, parts) -> Answer:
    sent = []

    async def receive():
        if not parts:
            return {"type": "http.disconnect"}
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    headers = Headers((name.decode().lower(), value.decode("latin-1")) for name, value in sent[0]["headers"])
    return Answer(sent[0]["status"], headers, b"".join(part.get("body", b"") for part in sent[1:]))


def _encoded(document) -> bytes:
    # In ASCII: what cannot be encoded may be sent all the same.
    return json.dumps(document).encode()


def _bytes(value) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")
