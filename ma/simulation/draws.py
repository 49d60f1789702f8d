"""Counter-based randomness: a draw is a function of (seed, customer, step), not of order or chunk.

So a launch gives the same result in one piece or many, on one machine or several, and two scenarios
of the same campaign share their luck.
"""

from hashlib import blake2b

import numpy as np

# SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def stable_hash(text: str) -> int:
    """A number of 63 bits that is the same for the same text on every machine, for ever."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def uniform(seed: int, customer_ids: np.ndarray, step: str) -> np.ndarray:
    """One float64 in (0, 1), both ends excluded, per customer."""
    # 52 bits and a half: all values are exact, none is 0 or 1.
    return ((_bits(seed, customer_ids, step) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def normal(seed: int, customer_ids: np.ndarray, step: str) -> np.ndarray:
    """One standard normal per customer (Box & Muller 1958, from two uniforms of its own)."""
    radius = np.sqrt(-2.0 * np.log(uniform(seed, customer_ids, f"{step}/radius")))
    return radius * np.cos(2.0 * np.pi * uniform(seed, customer_ids, f"{step}/angle"))


def chosen(seed: int, customer_ids: np.ndarray, step: str, share: float) -> np.ndarray:
    """Which customers fall into a random share; raising the share adds people and removes nobody."""
    return uniform(seed, customer_ids, step) < share


def split(seed: int, customer_ids: np.ndarray, step: str, parts: int) -> np.ndarray:
    """A part from 0 to `parts` - 1 per customer, all equally likely."""
    return (uniform(seed, customer_ids, step) * parts).astype(np.int64)


def _bits(seed: int, customer_ids: np.ndarray, step: str) -> np.ndarray:
    # The place in the sequence is the customer's id, its start a hash of seed and step: streams of
    # different steps meet within 10^9 customers with a chance of about 10^-10.
    start = np.uint64(int.from_bytes(blake2b(f"{seed}:{step}".encode(), digest_size=8).digest(), "little"))
    x = np.asarray(customer_ids).astype(np.uint64) * _GAMMA
    x += start
    x ^= x >> np.uint64(30)
    x *= _MIX_1
    x ^= x >> np.uint64(27)
    x *= _MIX_2
    x ^= x >> np.uint64(31)
    return x
