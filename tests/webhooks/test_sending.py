"""One POST to a real server that fails in every way there is."""

import base64
import datetime
import ipaddress
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ma.webhooks import sending, signature
from ma.webhooks.addresses import Allowed
from tests.webhooks.receiver import Receiver, drip, gibberish, hang_up, slow, status

HERE = Allowed("127.0.0.1, localhost")


def send(receiver, *, allowed=HERE, timeout_seconds=2.0, url=None):
    return sending.post(
        url or receiver.url, b'{"a":1}', {"webhook-id": "7"}, allowed=allowed, timeout_seconds=timeout_seconds
    )


def test_the_signature_is_that_of_the_published_example():
    # The worked example of the Standard Webhooks libraries.
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature.headers([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (made["webhook-id"], made["webhook-timestamp"]) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330")


def test_what_is_sent_arrives(receiver):
    answer = send(receiver, url=receiver.url + "/x?key=1")
    assert (answer.status, answer.error) == (204, None)
    [(headers, body)] = receiver.received
    assert body == b'{"a":1}'
    assert (headers["webhook-id"], headers["content-type"]) == ("7", "application/json")
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    assert receiver.paths == ["/hook/x?key=1"]


@pytest.mark.parametrize(
    ("what", "number", "words"),
    [
        (500, 500, "It answered 500."),
        (410, 410, "gone for good"),
        (404, 404, "404"),
        (hang_up, None, "without an answer"),
        (gibberish, None, "without an answer"),
    ],
)
def test_every_failure_is_told_in_words(receiver, what, number, words):
    receiver.answer = what
    answer = send(receiver)
    assert answer.status == number
    assert words in answer.error


def test_a_redirect_is_not_followed(receiver):
    other = Receiver()
    receiver.answer = status(307, location=other.url)
    answer = send(receiver)
    other.stop()
    assert answer.status == 307
    assert "not followed" in answer.error
    assert other.received == []


@pytest.mark.parametrize("what", [slow(1.5), drip], ids=["slow", "drip"])
def test_nobody_keeps_it_waiting(receiver, what):
    receiver.answer = what
    began = time.monotonic()
    answer = send(receiver, timeout_seconds=0.3)
    assert time.monotonic() - began < 1.2
    assert (answer.status, answer.error) == (None, "No answer within 0.3 seconds.")


def test_a_dead_receiver_refuses(receiver):
    gone = Receiver()
    gone.stop()
    assert send(gone).error == "It refused the connection."


def test_where_the_address_leads_is_looked_at_again_at_each_sending(receiver, monkeypatch):
    # A name that was public when it was registered, and means this machine now.
    real, asked = socket.getaddrinfo, []

    def look_up(host, port, **options):
        asked.append(host)
        return real("127.0.0.1", port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    url = f"https://rebound.test:{receiver.port}/hook"
    answer = send(receiver, url=url, allowed=Allowed())
    assert "private network" in answer.error
    assert (answer.status, receiver.received, asked) == (None, [], ["rebound.test"])


def test_it_connects_to_the_address_that_was_checked_and_asks_once(receiver, monkeypatch):
    # A name server that answers well the first time and badly from then on.
    real, asked = socket.getaddrinfo, []

    def look_up(host, port, *args, **options):
        if host != "moving.test":
            return real(host, port, *args, **options)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "10.255.255.1", port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    answer = send(receiver, url=f"http://moving.test:{receiver.port}/", allowed=Allowed("moving.test"))
    assert (answer.error, asked) == (None, ["moving.test"])
    assert receiver.received[0][0]["host"] == f"moving.test:{receiver.port}"


def test_how_long_to_wait_is_taken_from_the_receiver_within_reason(receiver):
    receiver.answers = [status(429, retry_after=text) for text in ("120", "999999", "soon")]
    waits = [send(receiver).retry_after for _ in range(3)]
    assert waits == [datetime.timedelta(minutes=2), datetime.timedelta(hours=1), None]


@pytest.fixture
def certified(tmp_path, monkeypatch):
    """`certified("localhost")` is a server with a certificate for that name, which is trusted here."""

    def make(name, *, trusted=True):
        key = ec.generate_private_key(ec.SECP256R1())
        who = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.9"))]
        certificate = (
            x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (tmp_path / "both.pem").write_bytes(pem + private)
        (tmp_path / "trusted.pem").write_bytes(pem)
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "trusted.pem"))
        else:
            monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        sending._trusting.cache_clear()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "both.pem")
        servers.append(Receiver(tls=context))
        return servers[-1]

    servers = []
    yield make
    sending._trusting.cache_clear()
    for server in servers:
        server.stop()


def test_over_tls_to_whom_the_certificate_names(certified):
    server = certified("localhost")
    assert send(server).error is None
    assert server.received[0][0]["host"] == f"localhost:{server.port}"


def test_a_certificate_of_another_name_or_of_nobody_is_refused(certified):
    assert "certificate" in send(certified("elsewhere.test")).error
    assert "certificate" in send(certified("localhost", trusted=False)).error


def test_a_server_without_tls_is_not_told_in_the_clear(receiver):
    answer = send(receiver, url=f"https://127.0.0.1:{receiver.port}/")
    assert answer.error == "No secure connection could be made."
    assert receiver.received == []
