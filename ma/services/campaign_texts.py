"""What may stand in the texts of a campaign."""

import re
import unicodedata

from ma.services import merge_fields

LONGEST = 20_000
_LABELS = {"objective": "objective", "subject": "subject", "body": "message"}


def tidy(value: object) -> str:
    """A text as it is stored; nothing for what is no text."""
    return unicodedata.normalize("NFC", value).strip() if isinstance(value, str) else ""


def has_unseen(text: str) -> bool:
    """Whether a text holds control characters."""
    return any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text)


def problem(name: str, text: str) -> str | None:
    """What is wrong with the text of one field, with the remedy."""
    if len(text) > LONGEST:
        return f"The {_LABELS[name]} is too long. Use at most {LONGEST:,} characters."
    if has_unseen(re.sub(r"[\n\r\t]", " ", text) if name != "subject" else text):
        return f"The {_LABELS[name]} contains control characters. Type it again instead of pasting it."
    return None


def message_problem(name: str, text: str, *, required: bool) -> str | None:
    """The same for what people read: their merge fields too."""
    if required and not text:
        return "Write a subject: every e-mail needs one." if name == "subject" else "Write the message."
    return problem(name, text) or merge_fields.problem(text)
