"""Selects into DataFrames, and the registry of frames that can be exported."""

import inspect
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from importlib import import_module

import pandas as pd
from sqlalchemy import Select
from sqlalchemy.orm import Session

from ma.errors import InvalidInput, NotFound
from ma.text import whole_number


def read(session: Session, select: Select, parameters: dict | None = None) -> pd.DataFrame:
    """The rows of a select, one column per label; `…_at` are instants, also where all are missing."""
    result = session.execute(select, parameters)
    frame = pd.DataFrame(result.all(), columns=list(result.keys()))
    for name in [name for name in frame.columns if name.endswith("_at")]:
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame


# name on the screen and in the address -> module.function of this package.
_FRAMES = {
    "customers": "customers.customers",
    "purchases": "purchases.purchases",
    "purchase_lines": "purchases.purchase_lines",
    "events": "purchases.events",
    "imports": "imports.imports",
    "customer_purchases": "profile.customer_purchases",
    "timeline": "timeline.timeline",
    "messages_sent": "messages.messages_sent",
    "consent_history": "consent.consent_history",
    "customer_notes": "notes.customer_notes",
    "segments": "segments.segments",
    "segment_members": "segments.members",
    "segment_steps": "segment_explanations.segment_steps",
    "segment_missing": "segment_explanations.segment_missing",
    "segment_glance": "segment_explanations.segment_glance",
    "segment_sizes": "comparison.sizes",
    "segment_regions": "comparison.regions",
    "segment_pairs": "comparison.pairs",
    "segment_differences": "comparison.differences",
    "campaigns": "campaigns.campaigns",
    "campaign_calendar": "campaign_calendar.campaign_calendar",
    "forecast_record": "calibration.forecast_record",
    "forecast_coverage": "calibration.coverage",
    "overlap_campaigns": "overlap.overlap_campaigns",
    "overlap_distribution": "overlap.overlap_distribution",
    "overlap_pairs": "overlap.overlap_pairs",
    "overlap_people": "overlap.overlap_people",
    "recipients": "campaigns.recipients",
    "kpis": "kpis.kpis",
    "trend": "kpis.trend",
    "funnel": "funnel.funnel",
    "roi": "roi.roi",
    "experiments": "experiments.experiments",
    "experiment_variants": "experiments.experiment_variants",
    "experiment_differences": "experiments.experiment_differences",
    "incrementality": "incrementality.incrementality",
    "segment_performance": "segment_performance.performance",
    "attribution": "attribution.attribution",
    "journeys": "journeys.journeys",
    "segment_drift": "segment_drift.segment_drift",
    "cohorts": "cohorts.cohorts",
    "cohort_summary": "cohorts.cohort_summary",
    "retention_curve": "cohorts.retention_curve",
    "breakdown": "breakdown.breakdown",
    "group_funnel": "breakdown.group_funnel",
    "reached": "reached.reached",
    "maturity": "maturity.maturity",
    "benchmarks": "benchmarks.benchmarks",
    "customer_spend_by_month": "profile.spend_by_month",
    "customer_spend_by_category": "profile.spend_by_category",
    "customer_message_steps": "messages.customer_messages",
    "segment_size_history": "segments.size_history",
    "campaign_days": "results.daily",
    "campaign_eligibility": "campaign_eligibility.campaign_eligibility",
    "attention": "attention.attention",
    "usual_range": "usual_range.usual_range",
    "channel_mix": "channel_mix.channel_mix",
    "best_worst": "best_worst.best_worst",
    "value_summaries": "value_summaries.summaries",
    "value_models": "value_models.value_models",
    "customer_scores": "customer_scores.customer_scores",
    "value_overview": "value_overview.value_overview",
    "value_distribution": "value_overview.value_distribution",
    "value_concentration": "value_overview.value_concentration",
    "rfm_grid": "value_overview.rfm_grid",
    "rfm_segments": "value_overview.rfm_segments",
    "value_parameters": "value_fit.value_parameters",
    "value_tracking": "value_fit.value_tracking",
    "value_by_frequency": "value_fit.value_by_frequency",
    "value_holdout": "value_fit.value_holdout",
    "value_churn_calibration": "value_fit.value_churn_calibration",
    "value_what_if": "value_what_if.value_what_if",
    "new_customer_value": "value_what_if.new_customer_value",
    "customer_value": "customer_value.customer_value",
    "affinity": "category_affinity.affinity",
    "next_actions": "next_actions.next_actions",
    "leads": "leads.leads",
    "lead_pipeline": "leads.lead_pipeline",
    "lead_results": "leads.lead_results",
    "lead_owners": "leads.lead_owners",
    "lead_changes": "leads.lead_changes",
    "lead_signals": "leads.lead_signals",
    "lead_score": "leads.lead_score",
    "tickets": "tickets.tickets",
    "ticket_summary": "tickets.ticket_summary",
    "ticket_changes": "tickets.ticket_changes",
    "suppressions": "tickets.suppressions",
    "suppressed_people": "tickets.suppressed_people",
    "activity": "activity.activity",
    "event_backlog": "activity.backlog",
    "event_subscribers": "activity.subscribers",
    "event_throughput": "activity.throughput",
    "dead_letters": "activity.dead_letters",
    "audit_log": "audit_log.audit_log",
}


@lru_cache
def frames() -> dict[str, Callable[..., pd.DataFrame]]:
    """Every frame that can be exported, by name."""
    found = {}
    for name, place in _FRAMES.items():
        module, function = place.split(".")
        found[name] = getattr(import_module(f"ma.analytics.{module}"), function)
    return found


def frame(session: Session, name: str, *, as_of: datetime, params: dict[str, str]) -> pd.DataFrame:
    """A registered frame from text parameters, as they come in an address or from the command line.

    Raises NotFound for an unknown frame, InvalidInput for an unknown, missing or unreadable parameter.
    """
    if name not in frames():
        raise NotFound(f"There is no table '{name}'. There are: {', '.join(sorted(frames()))}.")
    function = frames()[name]
    known = inspect.signature(function).parameters
    arguments = {}
    problems = {
        key: f"'{name}' needs '{key}'."
        for key, parameter in known.items()
        if parameter.default is parameter.empty and key not in ("session", "as_of", *params)
    }
    for key, text in params.items():
        if key not in known or key in ("session", "as_of"):
            problems[key] = f"'{name}' has no parameter '{key}'."
            continue
        try:
            arguments[key] = _typed(text, known[key].annotation)
        except ValueError:
            problems[key] = f"'{text}' is not a value for '{key}'."
    if problems:
        raise InvalidInput(problems)
    return function(session, as_of=as_of, **arguments)


def _typed(text: str, annotation: object):
    wanted = str(annotation)
    if "list[int]" in wanted:
        return [_number(part) for part in text.split(",") if part]
    if "bool" in wanted:
        return text.lower() in ("1", "true", "yes")
    if annotation is date or "datetime.date" in wanted or wanted.startswith("date"):
        return _day(text)
    if "int" in wanted and "str" not in wanted:
        return _number(text)
    if "\0" in text:
        raise ValueError("No database stores this character.")
    return text


def _number(text: str) -> int:
    number = whole_number(text)
    if number is None:
        raise ValueError("Not a whole number.")
    return number


def _day(text: str) -> date:
    day = date.fromisoformat(text)
    # A time zone's shift, or the period before, must not lead out of the calendar.
    if not 1900 <= day.year < 2200:
        raise ValueError("Not a day of these centuries.")
    return day
