"""The API under requests made from its own description: whatever comes, it never fails on our side.

Half of the requests are steered to what exists (ids, versions, rules), or all of them would end at a 404.
MA_FUZZ_EXAMPLES says how many requests each operation gets.
"""

import inspect
import os
from collections import Counter
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ma.analytics.frames import frames
from ma.api import health
from ma.api.app import create_app
from ma.services.campaigns import create_campaign
from ma.types import SYSTEM
from tests.rules.any_rule import RULES
from tests.services.campaign_world import NOW

EXAMPLES = int(os.environ.get("MA_FUZZ_EXAMPLES", "3"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
IDS = ("customer_id", "segment_id", "campaign_id")
# By what stands in a parameter's annotation.
WORDS = {
    "list[int]": ["1", "1,2", "2,99", ",", "x"],
    "date": ["2026-01-01", "2026-03-02", "1900-01-01", "2199-12-31", "today"],
    "bool": ["true", "0", "perhaps"],
    "int": ["1", "2", "0", "99", "999999999", "-1"],
    "str": ["", "a", "name", "email", "1,2", "channel", "%", "'", "\N{SNOWMAN}", '{"in_segment": 1}'],
}


def steered(case, data) -> None:
    """Make a request one about what exists."""
    for name in IDS:
        if name in case.path_parameters:
            case.path_parameters[name] = data.draw(st.integers(1, 4))
    if "name" in case.path_parameters:
        case.path_parameters["name"] = name = data.draw(st.sampled_from(sorted(frames())))
        case.query = parameters(name, data)
    if case.method in ("PATCH", "DELETE"):
        case.headers["If-Match"] = "*"
    if isinstance(case.body, dict):
        if "rule" in case.body:
            case.body["rule"] = data.draw(RULES)
        if "segment_id" in case.body:
            case.body["segment_id"] = data.draw(st.integers(1, 2))


def parameters(name, data) -> dict[str, str]:
    """Parameters of a table, of the right kind mostly."""
    given = {}
    for key, parameter in inspect.signature(frames()[name]).parameters.items():
        needed = parameter.default is inspect.Parameter.empty
        if key in ("session", "as_of") or not (needed or data.draw(st.booleans())):
            continue
        kind = next((kind for kind in WORDS if kind in str(parameter.annotation)), "str")
        given[key] = data.draw(st.sampled_from(WORDS[kind]))
    return given


@pytest.fixture
def drafts(api):
    """Campaigns to ask about."""
    with api.database.writing() as session:
        for name in ("Spring", "Summer", "Autumn"):
            create_campaign(session, SYSTEM, name=name, channel="sms", segment_id=1, body="Come in.", at=NOW)


def described(database):
    """The API's own description, bound to the application."""
    app = create_app(lambda: database)
    schema = schemathesis.openapi.from_dict({**app.openapi(), "servers": []})
    schema.app = app
    return schema


@pytest.mark.usefixtures("drafts")
def test_no_request_makes_it_fail(api):
    is_sqlite = api.database.engine.dialect.name == "sqlite"
    # What does not fit the description never gets as far as a database.
    modes = list(GenerationMode) if is_sqlite else [GenerationMode.POSITIVE]
    answered = Counter()
    for found in described(api.database).get_all_operations():
        for mode in modes:
            try_operation(found.ok(), api.secrets["marketer"], mode, answered)
    # Not all of it ended at the door.
    assert answered[200] + answered[201] + answered[202] > 20


def try_operation(operation, secret, mode, answered) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(operation.as_strategy(generation_mode=mode), st.data())
    def ask(case, data):
        if data.draw(st.booleans()):
            steered(case, data)
        headers = {"Authorization": f"Bearer {secret}"}
        answered[case.call_and_validate(headers=headers, checks=CHECKS).status_code] += 1

    # An operation without parameters has no wrong ones.
    with suppress(Unsatisfiable):
        ask()


def test_fuzzing_would_notice_a_failure(sqlite_api, monkeypatch):
    def broken(_session):
        raise ZeroDivisionError

    monkeypatch.setattr(health, "workspace", broken)
    operation = described(sqlite_api.database)["/health"]["GET"]
    with pytest.raises(BaseExceptionGroup, match=r"."):
        try_operation(operation, "", GenerationMode.POSITIVE, Counter())
