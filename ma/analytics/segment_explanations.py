"""Explanations of a segment, or of a rule that no segment has yet, as tables for export."""

from datetime import datetime

import pandas as pd
from sqlalchemy.orm import Session

from ma.analytics.catalogue import catalogue
from ma.analytics.explanation import explain, glance
from ma.analytics.segments import segment
from ma.errors import InvalidInput
from ma.rules.catalogue import Catalogue
from ma.rules.check import parse
from ma.rules.nodes import Node, SegmentRule


def segment_steps(
    session: Session, *, as_of: datetime, segment_id: int | None = None, rule: str = ""
) -> pd.DataFrame:
    """What each part of a segment's rule, or of a rule in JSON, does: `explanation.effects`.

    Raises NotFound, InvalidRule, and InvalidInput where neither or both are given.
    """
    known = catalogue(session)
    return explain(session, _node(session, segment_id, rule, known), as_of=as_of, catalogue=known).effects


def segment_missing(
    session: Session, *, as_of: datetime, segment_id: int | None = None, rule: str = ""
) -> pd.DataFrame:
    """Who is decided by missing data, and by which: `explanation.missing`. Raises as `segment_steps`."""
    known = catalogue(session)
    return explain(session, _node(session, segment_id, rule, known), as_of=as_of, catalogue=known).missing


def segment_glance(
    session: Session, *, as_of: datetime, segment_id: int | None = None, rule: str = ""
) -> pd.DataFrame:
    """How the people of a rule spread, against everybody: `glance.glance`. Raises as `segment_steps`."""
    known = catalogue(session)
    return glance(session, _node(session, segment_id, rule, known), as_of=as_of, catalogue=known)


def _node(session: Session, segment_id: int | None, rule: str, known: Catalogue) -> Node:
    if (segment_id is None) == (not rule):
        raise InvalidInput({"segment_id": "Give either 'segment_id' or 'rule'."})
    if segment_id is None:
        return parse(rule, known)
    saved = segment(session, segment_id).rule
    # Of a list there is no rule but being on it.
    return SegmentRule(segment_id) if saved is None else parse(saved, known)
