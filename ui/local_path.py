"""Addresses that the browser hands us to go to: on this server, or not at all."""

from urllib.parse import urlsplit


def local_path(wanted: str) -> str:
    """The path to go to after signing in: on this server, or the start page."""
    # Browsers read a backslash as a slash and drop tabs and line breaks: //evil has many spellings.
    strange = any(character <= " " or character in "\\\x7f" for character in wanted)
    local = wanted.startswith("/") and not wanted.startswith("//") and not strange
    if not local or wanted.startswith(("/auth/", "/oauth2callback", "/export/", "/import/")):
        return "/"
    parts = urlsplit(wanted)
    return "/" if parts.scheme or parts.netloc else wanted
