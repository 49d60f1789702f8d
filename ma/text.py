"""Folding text, so that comparison and search mean the same on every engine."""

import unicodedata


def fold(text: str) -> str:
    """Text without regard to case or Unicode form: what rules compare."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).strip()


def fold_accents(text: str) -> str:
    """Text without regard to case, Unicode form or accents: what search compares."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).strip()
