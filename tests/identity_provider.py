"""A real OpenID provider of our own: discovery, keys, PKCE, codes that work once, tokens signed with RS256.

with identity_provider() as provider:
    provider.person = {"sub": "1", "name": "Anna Berg", "groups": ["marketing"]}
    provider.spoil = "signature"   # its next tokens are wrong in this way
"""

import base64
import hashlib
import json
import threading
import time
from contextlib import contextmanager
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT_ID, CLIENT_SECRET = "workbench", "a secret between the two of us"


class IdentityProvider:
    """What the provider knows: who is in front of it, and how its tokens are to be wrong."""

    def __init__(self, issuer: str):
        self.issuer = issuer
        self.person = {"sub": "anna-1", "name": "Anna Berg", "groups": []}
        self.spoil = ""
        self.asked: list[dict] = []
        self.algorithms = ["RS256"]
        self._key = RSAKey.generate_key(2048, {"kid": "1"})
        self._other_key = RSAKey.generate_key(2048, {"kid": "1"})
        self._codes: dict[str, dict] = {}

    def metadata(self) -> dict:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": self.algorithms,
            "code_challenge_methods_supported": ["S256"],
        }

    def keys(self) -> dict:
        return {"keys": [self._key.as_dict(private=False, use="sig", alg="RS256")]}

    def page(self, request: dict) -> str:
        """What a person sees: who they are here, and whether to go on."""
        self.asked.append(request)
        code = token_urlsafe(24)
        self._codes[code] = {**request, "person": dict(self.person)}
        back = request["redirect_uri"] + "?"
        go_on = back + urlencode({"code": code, "state": request["state"]})
        decline = back + urlencode({"error": "access_denied", "state": request["state"]})
        return (
            f"<title>Company</title><p>You are {escape(str(self.person.get('name')))}.</p>"
            f'<a href="{escape(go_on)}">Continue</a> <a href="{escape(decline)}">Cancel</a>'
        )

    def redeem(self, form: dict, credentials: str) -> dict | None:
        """The tokens for a code: once, for our client, and only with the verifier of its challenge."""
        asked = self._codes.pop(form.get("code", ""), None)
        ours = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or credentials != f"Basic {ours}" or challenge != asked["code_challenge"]:
            return None
        if form.get("redirect_uri") != asked["redirect_uri"]:
            return None
        access_token = token_urlsafe(24)
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self.id_token(asked["nonce"], asked["person"]),
        }

    def id_token(self, nonce: str, person: dict) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **person,
        }
        claims |= {
            "issuer": {"iss": "https://elsewhere.test"},
            "audience": {"aud": "another-app", "azp": CLIENT_ID},
            "nonce": {"nonce": "not the one that was sent"},
            "expired": {"iat": now - 3600, "exp": now - 1800},
        }.get(self.spoil, {})
        key = self._other_key if self.spoil == "key" else self._key
        token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, key)
        if self.spoil == "signature":
            head, body, signature = token.split(".")
            forged = json.loads(base64.urlsafe_b64decode(body + "==")) | {"groups": ["bosses"]}
            body = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
            token = f"{head}.{body}.{signature}"
        if self.spoil == "none":
            head = base64.urlsafe_b64encode(b'{"alg":"none","kid":"1"}').rstrip(b"=").decode()
            token = f"{head}.{token.split('.')[1]}."
        if self.spoil == "public key as secret":
            secret = OctKey.import_key(self._key.as_pem(private=False))
            content = json.dumps(claims).encode()
            header = {"alg": "HS256", "kid": "1"}
            token = jws.serialize_compact(header, content, secret, algorithms=["HS256"])
        return token


@contextmanager
def identity_provider():
    """Run the provider on a free port until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            if path == "/.well-known/openid-configuration":
                self._json(provider.metadata())
            elif path == "/keys":
                self._json(provider.keys())
            elif path == "/authorize":
                page = provider.page({name: values[0] for name, values in query.items()})
                self._send(200, "text/html; charset=utf-8", page.encode())
            else:
                self._send(404, "text/plain", b"")

        def do_POST(self):
            content = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(content).items()}
            tokens = provider.redeem(form, self.headers.get("Authorization", ""))
            self._json(tokens or {"error": "invalid_grant"}, 200 if tokens else 400)

        def _json(self, document, status=200):
            self._send(status, "application/json", json.dumps(document).encode())

        def _send(self, status, kind, content):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = IdentityProvider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
