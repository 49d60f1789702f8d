"""What the words of a report mean, one sentence each, as docs/metrics.md defines them."""

TERMS = {
    "sent": (
        "Sent",
        "People the campaign was sent to, counted once per campaign; the holdout is not among them.",
    ),
    "delivered": ("Delivered", "Sent less bounced, where the channel can see it."),
    "open_rate": (
        "Open rate, click rate",
        "People who opened, or clicked, ÷ delivered, over the campaigns whose channel can see it.",
    ),
    "conversion": (
        "Conversion",
        "A purchase of what the campaign offers within its conversion window after sending.",
    ),
    "conversion_rate": (
        "Conversion rate",
        "People who converted ÷ delivered (÷ sent where the channel cannot see delivery).",
    ),
    "pooled": (
        "Pooled rate",
        "Over several campaigns a rate is sum ÷ sum, not the mean of their rates: big campaigns count more.",
    ),
    "organic": (
        "Organic conversions",
        "People who bought without the message leading them there; only a simulation can tell, and the "
        "funnel leaves them out.",
    ),
    "revenue": (
        "Attributed revenue",
        "Revenue of converted people within the window, last touch; it includes people who would have bought "
        "anyway, so it overstates what the campaign caused.",
    ),
    "cost": (
        "Cost",
        "Fixed cost plus sent × cost per thousand ÷ 1,000; unknown where either part is unknown.",
    ),
    "profit": ("Profit", "Attributed revenue less cost."),
    "per_recipient": ("Revenue per recipient", "Attributed revenue ÷ sent."),
    "roi": (
        "ROI",
        "(Attributed revenue − cost) ÷ cost, over the campaigns whose cost is known; unknown where the cost "
        "is 0.",
    ),
    "holdout": (
        "Holdout",
        "People who could have been sent the campaign and were not, drawn by lot, so that what it caused can "
        "be told from what would have happened anyway.",
    ),
    "incremental": (
        "Incremental effect",
        "What people who were sent the campaign did less what as many of the holdout did: what it caused, in "
        "people and in money; below zero it took away.",
    ),
    "together": (
        "Together",
        "The sum over campaigns; as each holdout was drawn on its own, the distances to the ends of the "
        "intervals add up as squares.",
    ),
    "p_value": (
        "p",
        "How likely a difference at least as large is where nothing differs (two-sided); of several messages "
        "it is adjusted (Holm). Below 0.05 it is called clear.",
    ),
    "split": (
        "Split of people",
        "Whether lots put as many people into each group as planned; where they did not, something sorted "
        "them, and differences cannot be believed.",
    ),
    "interval": (
        "95 % interval",
        "The range of true values that fit what was seen: intervals made this way hold the true value in "
        "95 of 100 cases. Of rates it is Wilson's.",
    ),
    "growing": (
        "Still growing",
        "People are inside the campaign's conversion window, or waves are to come: its figures can rise.",
    ),
    "unknown": ("–", "Unknown. It is never zero."),
}


def terms(*names: str) -> list[tuple[str, str]]:
    """The words and their sentences, in the order of the glossary, each once."""
    return [TERMS[name] for name in TERMS if name in names]
