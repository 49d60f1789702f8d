"""How long a text message is as networks count it: in septets or UTF-16 units, and in billed parts.

Source: 3GPP TS 23.038 (the alphabet) and TS 23.040 (how long messages are split).
"""

from collections.abc import Sequence
from dataclasses import dataclass

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each takes two places: an escape stands before it.
_EXTENDED = frozenset("\f^{}\\[~]|€")
# Units in a message that is alone, and in each part of a longer one: the rest numbers the parts.
GSM_ALONE, GSM_PART = 160, 153
UCS_ALONE, UCS_PART = 70, 67


@dataclass(frozen=True)
class TextLength:
    """`units` of `room` are used in `parts` parts; `unusual` characters cost it the larger alphabet."""

    units: int
    room: int
    parts: int
    unusual: str


def length(text: str) -> TextLength:
    """How long a text is as a text message. An empty one still is a message."""
    unusual = "".join(sorted(set(text) - _BASIC - _EXTENDED))
    if unusual:
        sizes, alone, part = [len(c.encode("utf-16-le")) // 2 for c in text], UCS_ALONE, UCS_PART
    else:
        sizes, alone, part = [2 if c in _EXTENDED else 1 for c in text], GSM_ALONE, GSM_PART
    units = sum(sizes)
    if units <= alone:
        return TextLength(units, alone, 1, unusual)
    parts = _parts(sizes, part)
    return TextLength(units, parts * part, parts, unusual)


def _parts(sizes: Sequence[int], room: int) -> int:
    """A character of two units is not torn apart: it begins the next part."""
    parts, used = 1, 0
    for size in sizes:
        if used + size > room:
            parts, used = parts + 1, 0
        used += size
    return parts
