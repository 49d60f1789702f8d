"""Amounts of money for people: whole numbers of the smallest unit in, text or major units out."""

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
# Currencies without a smaller unit (ISO 4217); every other one here has hundredths.
_WHOLE = {"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF"}


def symbol(currency: str) -> str:
    """What stands before an amount: $, €, or the code and a space."""
    return SYMBOLS.get(currency, f"{currency} ")


def digits(currency: str) -> int:
    """How many decimals amounts of a currency have."""
    return 0 if currency in _WHOLE else 2


def unit(currency: str) -> int:
    """How many of the smallest unit make one: 100 cents, 1 yen."""
    return 10 ** digits(currency)


def amount(minor: float | None, currency: str) -> str:
    """An exact amount: "$1,234.50", "¥1,234"; unknown is "–"."""
    if minor is None or minor != minor:
        return "–"
    sign = "-" if minor < 0 else ""
    return f"{sign}{symbol(currency)}{abs(minor) / unit(currency):,.{digits(currency)}f}"
