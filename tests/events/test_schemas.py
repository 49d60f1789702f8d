"""docs/events says what the messages are, and every event that is recorded fits it."""

import json
import re

import pytest

from ma.events import schemas
from ma.events.messages import MESSAGES
from ma.events.modules import MODULES
from ma.settings import ROOT
from ma.subscribers.handlers import HANDLERS

FOLDER = ROOT / "docs" / "events"


def test_the_files_in_docs_are_those_of_the_messages():
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert written == schemas.schemas(), "run: python -m ma events schemas"


def test_writing_again_changes_nothing_and_a_changed_message_its_file(tmp_path):
    assert set(schemas.write(tmp_path)) == set(schemas.schemas())
    assert schemas.write(tmp_path) == []
    (tmp_path / "LeadWon.v1.json").write_text("{}")
    assert schemas.write(tmp_path) == ["LeadWon.v1.json"]


@pytest.mark.parametrize("name", MODULES)
def test_each_module_has_a_handler_for_exactly_what_it_listens_to(name):
    assert set(HANDLERS[name]) == MODULES[name].listens_to
    assert set(MESSAGES) >= MODULES[name].listens_to


def test_no_message_has_a_field_for_a_name_or_an_address():
    personal = re.compile("name|mail|phone|address|birth|city|street|postal")
    for message in MESSAGES.values():
        text = json.dumps(message.model_json_schema()["properties"])
        fields = re.findall(r'"(\w+)": \{', text)
        assert [field for field in fields if personal.search(field)] == [], message.__name__


def test_the_table_of_modules_in_the_docs_is_true():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", text, re.MULTILINE)
    listens = {name: set(re.findall(r"`(\w+)`", types)) for name, _, types in rows}
    assert listens == {name: set(module.listens_to) for name, module in MODULES.items()}
    tells = {name: set(re.findall(r"`(\w+)`", types)) for name, types, _ in rows if name != "ma"}
    assert tells == {
        name: {m.__name__ for m in MESSAGES.values() if m.module == name} for name in ("sales", "service")
    }
