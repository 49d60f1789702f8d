"""Printing: the browser of the machine, found or not, willing or not."""

import re
import stat
import sys
import time
from pathlib import Path

import pytest

from ma.errors import FileProblem
from ma.report import printing
from ma.settings import settings

PAGE = (
    '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Spring &amp; more</title></head>'
    '<body><p>First</p><p style="break-before: page">Second</p></body></html>'
)
# What a stand-in does with the argument that says where to write.
WRITE = 'for a; do case $a in --print-to-pdf=*) printf {} > "${{a#*=}}";; esac; done'


@pytest.fixture
def program(tmp_path, monkeypatch):
    """`program("exit 3")`: a browser of these lines of shell, named in the settings."""

    def make(lines):
        path = tmp_path / "browser"
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("MA_BROWSER", str(path))
        settings.cache_clear()
        return path

    yield make
    settings.cache_clear()


@pytest.mark.browser
def test_a_real_browser_prints_every_page_and_the_title():
    if printing.browser() is None:
        pytest.skip("no browser on this machine")
    content = printing.to_pdf(PAGE)
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 2
    assert (
        b"Spring & more" in content or "Spring & more".encode("utf-16-be").hex().upper().encode() in content
    )


def test_the_one_named_in_the_settings_comes_first(program):
    named = program("exit 0")
    assert printing.browser() == str(named)


def test_one_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("MA_BROWSER", "/nowhere/chrome")
    settings.cache_clear()
    with pytest.raises(FileProblem, match="MA_BROWSER names no program"):
        printing.browser()
    settings.cache_clear()


def test_without_any_browser_the_remedy_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("MA_BROWSER", raising=False)
    monkeypatch.setattr(printing, "PLACES", ())
    settings.cache_clear()
    with pytest.raises(FileProblem, match="Install Chromium, Chrome or Edge"):
        printing.to_pdf(PAGE)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_a_browser_that_hangs_is_ended_with_all_it_started(program, tmp_path):
    program(f"sleep 60 & echo $! > {tmp_path / 'helper'}; wait")
    begun = time.monotonic()
    with pytest.raises(FileProblem, match="took longer than 1 seconds"):
        printing.to_pdf(PAGE, seconds=1)
    assert time.monotonic() - begun < 10
    helper = Path("/proc") / (tmp_path / "helper").read_text().strip() / "stat"
    for _ in range(50):
        # A zombie that nobody collected has ended too.
        if not helper.exists() or helper.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("the helper lives on")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
@pytest.mark.parametrize("lines", ["exit 3", WRITE.format("no")])
def test_a_browser_that_writes_no_pdf_is_no_success(program, lines):
    program(lines)
    with pytest.raises(FileProblem, match="wrote no PDF"):
        printing.to_pdf(PAGE, seconds=10)


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
def test_the_browser_gets_no_network_and_nothing_is_left_behind(program, tmp_path):
    program(f'echo "$@" > {tmp_path / "given"}; {WRITE.format("%%PDF-1")}')
    assert printing.to_pdf(PAGE, seconds=10) == b"%PDF-1"
    given = (tmp_path / "given").read_text()
    assert "--host-resolver-rules=MAP * ~NOTFOUND" in given
    folder = re.search(r"--user-data-dir=(\S+)/profile", given).group(1)
    assert not Path(folder).exists()
