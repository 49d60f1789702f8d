"""Words and amounts of next best actions."""

from ma.money import amount, digits, symbol, unit

# Where what a channel is believed to bring is known from.
SOURCES = {
    "history": "your own campaigns",
    "simulated history": "simulated campaigns, which only confirm the simulator",
    "benchmark": "published benchmarks",
    "assumption": "an assumption",
}


def each(minor: float, currency: str) -> str:
    """What one message costs or brings: fractions of a cent are told too; – where unknown."""
    whole = unit(currency)
    if minor != minor or abs(minor) >= 0.1 * whole:
        return amount(minor, currency)
    sign = "-" if minor < 0 else ""
    return f"{sign}{symbol(currency)}{abs(minor) / whole:,.{digits(currency) + 2}f}"
