"""A real HTTP server of another system: it keeps what it was sent, and answers as it is told to."""

import socket
import ssl
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Listens on 127.0.0.1. `answers` are used up one after the other, then `answer` is given.

    An answer is a status, or a function that is given the handler and does what it likes.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, port: int = 0):
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.answer, self.answers = 204, []
        self._tls, self._server = tls, None
        self.start(port)

    def start(self, port: int = 0) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
                receiver.paths.append(self.path)
                what = receiver.answers.pop(0) if receiver.answers else receiver.answer
                with suppress(OSError):
                    what(self) if callable(what) else status(what)(self)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        if self._tls:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Die: from now on connections are refused."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        scheme, host = ("https", "localhost") if self._tls else ("http", "127.0.0.1")
        return f"{scheme}://{host}:{self.port}/hook"


def status(number, **headers):
    """Answer with this status."""

    def answer(handler):
        handler.send_response(number)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-length", "0")
        handler.end_headers()

    return answer


def slow(seconds):
    """Answer well, but late."""

    def answer(handler):
        time.sleep(seconds)
        status(204)(handler)

    return answer


def drip(handler):
    """Send a byte now and then, for four seconds: no single wait is long."""
    for byte in b"HTTP/1.1 200 OK\r\nx: " + b"y" * 60:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.05)


def hang_up(handler):
    """Close the connection in the middle."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def gibberish(handler):
    """Answer something that is not HTTP."""
    handler.wfile.write(b"220 mail.example.com ESMTP\r\n")
