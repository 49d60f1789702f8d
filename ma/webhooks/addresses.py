"""Which addresses may be told of events: none that leads into the network this program runs in.

Whoever may name an address could otherwise reach through this server what only it can reach: the database,
the cloud's metadata, a printer. So a name is resolved once, every address that it has is checked, and the
connection is made to an address that was checked. This happens when a webhook is saved and again at each
delivery, as names come to mean something else.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from ma.errors import InvalidInput

LONGEST = 2_000
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
_DEFAULT_PORTS = {"https": 443, "http": 80}
# Never to be reached by name, whatever the operator allows: clouds give out their keys there. The last two
# look public and are Oracle's and Azure's.
_METADATA = tuple(
    map(
        ipaddress.ip_network,
        ("169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "192.0.0.0/24", "168.63.129.16/32"),
    )
)
# IPv6 addresses that carry an IPv4 address in their last 32 bits, as networks translate them.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Address:
    """The parts of a webhook's address; `target` is its path with what follows."""

    url: str
    secure: bool
    host: str
    port: int
    target: str


class Allowed:
    """The operator's exceptions: names, addresses and networks that may be private and without TLS."""

    def __init__(self, text: str = ""):
        self._names, self._networks = set(), []
        for entry in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                self._networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                self._names.add(entry)

    def name(self, host: str) -> bool:
        """Whether a host may be private because of its name, or as the address that it is."""
        try:
            return self.address(ipaddress.ip_address(host))
        except ValueError:
            return host in self._names

    def address(self, ip: IpAddress) -> bool:
        """Whether an address was allowed as such."""
        return any(ip in network for network in self._networks)


def check(url: str, allowed: Allowed) -> Address:
    """The parts of an address that may be told of events now. Asks the name server.

    Raises InvalidInput.
    """
    address = parse(url, allowed)
    resolve(address, allowed)
    return address


def parse(url: str, allowed: Allowed) -> Address:
    """The parts of an address, without looking its name up. Raises InvalidInput."""
    url = url.strip()
    if len(url) > LONGEST or not re.fullmatch(r"[!-\[\]-~]+", url):
        raise _problem(
            f"Give an address of at most {LONGEST:,} characters, without spaces or letters such as ä."
        )
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise _problem("This is not an address. It should look like https://example.com/hook.") from None
    if parts.scheme not in _DEFAULT_PORTS or not host or port == 0:
        raise _problem("This is not an address. It should look like https://example.com/hook.")
    if parts.username is not None or parts.password is not None:
        raise _problem("Leave the user name and the password out of the address: others would see them.")
    if parts.fragment or "#" in url:
        raise _problem("Leave out what begins with #: no server is ever told of it.")
    if parts.scheme == "http" and not allowed.name(host):
        raise _problem("Use an address that begins with https://, so that nobody on the way can read along.")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(url, parts.scheme == "https", host, port or _DEFAULT_PORTS[parts.scheme], target)


def resolve(address: Address, allowed: Allowed) -> list[str]:
    """The IP addresses of a host, every one of them checked. Raises InvalidInput."""
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _problem(f"There is no server of the name {address.host}. Check how it is spelt.") from None
    ips = list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    named = allowed.name(address.host)
    for ip in map(ipaddress.ip_address, ips):
        if not _may_be_reached(ip, named=named, allowed=allowed):
            raise _problem(
                "This address leads into a private network. Use one that the internet can reach, or have "
                "whoever runs this server allow it (MA_WEBHOOK_ALLOW)."
            )
    return ips


def _may_be_reached(ip: IpAddress, *, named: bool, allowed: Allowed) -> bool:
    if allowed.address(ip):
        return True
    meant = _unwrapped(ip)
    if any(meant in network for network in _METADATA):
        return False
    return named or (meant.is_global and not meant.is_multicast and not meant.is_reserved)


def _unwrapped(ip: IpAddress) -> IpAddress:
    """The IPv4 address inside of an IPv6 address that only carries it; otherwise the address itself."""
    if ip.version == 4:
        return ip
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)


def _problem(words: str) -> InvalidInput:
    return InvalidInput({"url": words})
