"""Security headers on every answer, and no answer where the framework tells strangers about the server."""

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import streamlit
from starlette.responses import PlainTextResponse

from ma.settings import settings

# Numbers about sessions and memory, for everybody who asks.
_CLOSED = ("/_stcore/metrics",)


def content_policy() -> str:
    """The content security policy: nothing from other hosts, no inline scripts but the framework's own."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    inline = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page, re.DOTALL)
    hashes = " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in inline)
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' blob: {hashes}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def security_headers() -> list[tuple[bytes, bytes]]:
    """The headers as they are sent."""
    headers = {
        "content-security-policy": content_policy(),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        # Not no-referrer: forms would then be sent with the origin "null", which the sign-in refuses.
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
    }
    if settings().secure_cookies:
        headers["strict-transport-security"] = "max-age=31536000"
    return [(name.encode(), value.encode()) for name, value in headers.items()]


class SecurityHeaders:
    """Adds the headers; browsers do not keep the pages, so that Back after signing out shows nothing."""

    def __init__(self, app):
        self.app = app
        self.headers = security_headers()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message):
            if message["type"] == "http.response.start":
                given = message.get("headers", [])
                added = list(self.headers)
                if (b"content-type", b"text/html; charset=utf-8") in given:
                    given = [header for header in given if header[0] != b"cache-control"]
                    added.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*given, *added]}
            await send(message)

        app = PlainTextResponse("Not found", 404) if scope["path"] in _CLOSED else self.app
        await app(scope, receive, with_headers)
