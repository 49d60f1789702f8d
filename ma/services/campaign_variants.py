"""The variants of a campaign: messages tried against each other, and the effects assumed of each."""

import math

from ma.services import campaign_texts as texts
from ma.types import ORDER_VALUE, SIDE_STEPS, STEPS, Channel

# The campaign's own message. The others are named on.
FIRST = "A"
NAMES = "BCDEFGH"
KEYS = ("name", "share", "subject", "body", "effects")
# Assumed relative changes: -0.9 leaves a tenth, 4 makes five times as much.
SMALLEST_EFFECT, LARGEST_EFFECT = -0.9, 4.0
SMALLEST_SHARE = 0.01


def shares(variants: list[dict]) -> dict[str, float]:
    """The share of the people who get each variant, A included; they sum to 1."""
    others = {variant["name"]: variant["share"] for variant in variants}
    return {FIRST: 1.0 - math.fsum(others.values())} | others


def messages(campaign: dict) -> list[dict]:
    """All variants of a campaign's row, A first: name, share, subject, body, effects."""
    first = {name: campaign[name] for name in ("subject", "body", "effects")}
    every = [{"name": FIRST} | first, *campaign["variants"]]
    share = shares(campaign["variants"])
    return [variant | {"share": share[variant["name"]]} for variant in every]


def clean(variants: list[dict], channel: object) -> tuple[list[dict], dict[str, str]]:
    """The further variants as they are stored, and what is wrong: {"variants.0.share": message}."""
    if not isinstance(variants, list) or not all(
        isinstance(v, dict) and set(v) <= set(KEYS) for v in variants
    ):
        return [], {"variants": f"A variant has {', '.join(KEYS)}."}
    if len(variants) > len(NAMES):
        return [], {"variants": f"Try at most {len(NAMES) + 1} variants at once. Remove some."}
    rows, problems = [], {}
    for place, variant in enumerate(variants):
        row = {
            "name": NAMES[place],
            "share": variant.get("share"),
            "subject": texts.tidy(variant.get("subject")),
            "body": texts.tidy(variant.get("body")),
            "effects": variant.get("effects") or {},
        }
        needs_subject = channel == Channel.EMAIL
        checked = (
            ("share", _share_problem(row["share"])),
            ("subject", texts.message_problem("subject", row["subject"], required=needs_subject)),
            ("body", texts.message_problem("body", row["body"], required=True)),
            ("effects", effects_problem(row["effects"], channel)),
        )
        problems |= {f"variants.{place}.{name}": words for name, words in checked if words}
        rows.append(row)
    if not problems and shares(rows)[FIRST] < SMALLEST_SHARE:
        problems["variants"] = (
            f"Variant {FIRST} gets nobody: the shares of the others leave nothing. Lower one of them."
        )
    return rows, problems


def effects_problem(effects: object, channel: object) -> str | None:
    """What is wrong with the assumed effects of a message, with the remedy."""
    if not isinstance(effects, dict):
        return "Give the assumed effects by step."
    if channel in list(Channel):
        known = {*STEPS[Channel(channel)][1:], *SIDE_STEPS[Channel(channel)], ORDER_VALUE} - {"bounced"}
        if unknown := sorted(set(effects) - known):
            return f"{Channel(channel).label} has no {unknown[0]}. Remove its assumed effect."
    if not all(_number(value) and SMALLEST_EFFECT <= value <= LARGEST_EFFECT for value in effects.values()):
        return f"Assume changes between {SMALLEST_EFFECT:.0%} and +{LARGEST_EFFECT:.0%}."
    return None


def _share_problem(share: object) -> str | None:
    if _number(share) and SMALLEST_SHARE <= share < 1:
        return None
    return f"Give the variant between {SMALLEST_SHARE:.0%} and 99 % of the people."


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
