"""Which addresses may be told: none inside, however they are written."""

import socket

import pytest

from ma.errors import InvalidInput
from ma.webhooks.addresses import Allowed, check, parse, resolve

NOBODY = Allowed()
PUBLIC = "93.184.216.34"


@pytest.fixture
def names(monkeypatch):
    """`names["a.test"] = ["10.0.0.1"]` says what a name server would; `names["asked"]` what it was asked."""
    known, asked, real = {}, [], socket.getaddrinfo

    def look_up(host, port, **options):
        asked.append(host)
        if host not in known:
            return real(host, port, flags=socket.AI_NUMERICHOST, **options)
        return [entry for ip in known[host] for entry in real(ip, port, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    known["asked"] = asked
    return known


def problem(url, allowed=NOBODY):
    with pytest.raises(InvalidInput) as refused:
        check(url, allowed)
    return refused.value.problems["url"]


def test_a_public_address_is_taken_apart(names):
    names["example.com"] = [PUBLIC]
    address = check(" https://Example.com/hook/7?key=1 ", NOBODY)
    assert (address.host, address.port, address.target) == ("example.com", 443, "/hook/7?key=1")
    assert address.secure
    assert check("https://example.com:8443", NOBODY).target == "/"
    assert resolve(address, NOBODY) == [PUBLIC]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.3.4",
        "192.168.1.1", "100.64.0.1", "100.100.100.200", "169.254.169.254", "168.63.129.16", "192.0.0.192",
        "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1",
        "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[2001:db8::1]",
        "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]", "[::127.0.0.1]",
        "[64:ff9b::7f00:1]", "[64:ff9b::169.254.169.254]", "[64:ff9b:1::1]", "[2002:7f00:1::]",
        "[2002:a00:1::1]",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_however_they_are_written(names, host):
    assert "private network" in problem(f"https://{host}/hook")


def test_public_ipv6_and_translated_public_addresses_are_not(names):
    for host in ("[2606:2800:220:1:248:1893:25c8:1946]", "[64:ff9b::5db8:d822]", "[::ffff:93.184.216.34]"):
        check(f"https://{host}/", NOBODY)


def test_a_name_is_refused_when_one_of_its_addresses_is_private(names):
    names["both.test"] = [PUBLIC, "10.0.0.1"]
    assert "private network" in problem("https://both.test/hook")


def test_a_name_nobody_knows_is_told_so(names):
    assert "no server of the name nowhere.test" in problem("https://nowhere.test/")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/", "https://"),
        ("ftp://example.com/", "should look like"),
        ("https://", "should look like"),
        ("example.com", "should look like"),
        ("https://example.com:99999/", "should look like"),
        ("https://[::1/", "should look like"),
        ("https://user:password@example.com/", "user name"),
        ("https://example.com@127.0.0.1/", "user name"),
        ("https://example.com/#part", "#"),
        ("https://exam ple.com/", "spaces"),
        ("https://example.com\\@127.0.0.1/", "spaces"),
        ("https://example.com/\r\nHost: x", "spaces"),
        ("https://müller.example/", "letters"),
        ("https://example.com/" + "a" * 2_000, "2,000"),
    ],
)
def test_what_is_no_address_is_refused_with_its_reason(names, url, words):
    names["example.com"] = [PUBLIC]
    assert words in problem(url)


def test_the_operator_allows_names_addresses_and_networks(names):
    names["erp.internal"], names["other.internal"] = ["10.1.2.3"], ["10.9.9.9"]
    allowed = Allowed("erp.internal, 127.0.0.1 ,192.168.7.0/24,[fd12::1]")
    assert check("http://erp.internal/hook", allowed).secure is False
    assert check("http://127.0.0.1:9000/", allowed).port == 9000
    check("https://192.168.7.9/", allowed)
    check("https://[fd12::1]/", allowed)
    for url in ("https://192.168.8.9/", "https://other.internal/", "https://10.1.2.3/"):
        assert "private network" in problem(url, allowed)


def test_a_name_is_never_a_way_to_the_keys_of_the_cloud(names):
    names["erp.internal"] = ["169.254.169.254"]
    assert "private network" in problem("https://erp.internal/", Allowed("erp.internal"))
    assert "private network" in problem("https://[::ffff:169.254.169.254]/", Allowed("10.0.0.0/8"))


def test_taking_an_address_apart_asks_no_name_server(names):
    parse("https://example.com/", NOBODY)
    assert names["asked"] == []
