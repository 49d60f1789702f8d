"""What a person reads when something goes wrong, and what the log keeps."""

import json
import logging

from sqlalchemy.exc import OperationalError
from streamlit.testing.v1 import AppTest

from ui.errors import BUSY, explain
from ui.text import literal


def failing(kind):
    import streamlit as st

    from ma.errors import Conflict, InvalidInput
    from ui.errors import shown

    errors = {
        "input": InvalidInput({"name": "Give a *name*.", "price": "Give a price."}),
        "conflict": Conflict("Somebody launched it."),
        "bug": ValueError("anna@example.com"),
    }
    with shown() as attempt:
        if kind in errors:
            raise errors[kind]
    st.write({"ok": attempt.ok, "problems": attempt.problems})


def run(kind):
    screen = AppTest.from_function(failing, args=(kind,), default_timeout=30).run()
    return [error.value for error in screen.error], json.loads(screen.json[0].value)


def test_each_problem_of_the_input_has_its_line():
    errors, attempt = run("input")
    assert errors == [literal("Give a *name*."), literal("Give a price.")]
    assert attempt == {"ok": False, "problems": {"name": "Give a *name*.", "price": "Give a price."}}


def test_an_exposed_error_is_shown_as_written():
    assert run("conflict") == ([literal("Somebody launched it.")], {"ok": False, "problems": {}})


def test_nothing_is_shown_when_nothing_is_wrong():
    assert run("fine") == ([], {"ok": True, "problems": {}})


def test_an_unforeseen_error_is_a_reference_that_the_log_knows(caplog):
    with caplog.at_level(logging.ERROR):
        errors, attempt = run("bug")
    entry = json.loads(caplog.records[-1].message)
    assert entry["reference"] in errors[0]
    assert entry["error"] == ["ValueError"]
    assert entry["where"][-1].endswith(" failing")
    assert "anna" not in caplog.text + errors[0]
    assert attempt["ok"] is False


def test_a_locked_database_is_not_a_fault():
    class Locked(Exception):
        pass

    assert explain(OperationalError("UPDATE x", {}, Locked("database is locked"))) == BUSY
    assert explain(OperationalError("x", {}, Locked("canceling statement due to lock timeout"))) == BUSY


def test_data_in_a_label_shows_exactly_its_characters():
    assert literal("**Bo** [x](http://y) $a$ :red[z] <b>\nnext") == (
        r"\*\*Bo\*\* \[x\]\(http\:\/\/y\) \$a\$ \:red\[z\] \<b\> next"
    )
