"""A good, a dirty and a hostile file through the real screen, as a marketer brings them."""

import re
import zipfile
from io import BytesIO

import pytest
from sqlalchemy import func, select

from ma.models import Customer

pytestmark = pytest.mark.browser

GOOD = (
    "Kundennummer;Vorname;Nachname;E-Mail;Telefon;PLZ\r\n"
    "IMP-1;Jürgen;NA;juergen.import@example.com;00491701234567;01234\r\n"
    "IMP-2;Änne;Groß;aenne.import@example.com;;04109\r\n"
).encode("cp1252")
DIRTY = (
    b"email,first_name,zip\n"
    b"dirty.one@example.com,=HYPERLINK(1),1\n"
    b"no address,Bo,2\n"
    b"dirty.two@example.com,<b>Bold</b>,3\n"
)


def bomb() -> bytes:
    """A workbook whose sheet is 30 MB of zeros, in 30 kB."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("xl/workbook.xml", "<workbook/>")
        made.writestr("xl/worksheets/sheet1.xml", b"\0" * 30_000_000)
    return buffer.getvalue()


@pytest.fixture
def choose(page, signed_in, settled):
    """`choose(name, content)` opens the screen as a marketer and chooses a file."""

    def upload(name, content):
        signed_in(page, "marketer", "/files")
        page.locator("input[type=file]").set_input_files(
            {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        )
        return settled(page)

    return upload


def imported(app, pattern):
    with app.database.reading() as session:
        return session.scalar(
            select(func.count())
            .select_from(Customer)
            .where(Customer.email.like(pattern), Customer.deleted_at.is_(None))
        )


def test_a_good_file_comes_in_and_goes_out_again(app, page, choose):
    choose("Kunden März.csv", GOOD)
    for found in ("2 rows", "Windows-1252", "Separated by semicolon"):
        page.get_by_text(found).first.wait_for()
    page.get_by_role("button", name="Check 2 rows").click()
    page.get_by_text("Nothing has been written yet.").wait_for()
    assert imported(app, "%.import@example.com") == 0
    page.get_by_role("button", name="Import 2 rows").click()
    page.get_by_text("Kunden März.csv is in.").wait_for()
    with app.database.reading() as session:
        jurgen = session.execute(
            select(Customer.first_name, Customer.last_name, Customer.phone, Customer.postal_code).where(
                Customer.external_id == "IMP-1"
            )
        ).one()
    assert tuple(jurgen) == ("Jürgen", "NA", "00491701234567", "01234")
    page.reload()
    page.get_by_text("Kunden März.csv is in.").wait_for()
    page.get_by_role("button", name="Undo").first.click()
    page.get_by_text("is taken out again").wait_for()
    page.get_by_role("button", name="Undo import").click()
    page.get_by_text("Undone").first.wait_for()
    assert imported(app, "%.import@example.com") == 0


def test_a_dirty_file_says_what_is_wrong_and_keeps_the_rest(app, page, choose):
    choose("dirty.csv", DIRTY)
    page.get_by_role("button", name="Check 3 rows").click()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("Download 1 rejected row")).click()
    text = download.value.path().read_text("utf-8-sig")
    assert text.splitlines()[1].startswith("no address,Bo,2,")
    page.get_by_role("button", name="Import 2 rows").click()
    page.get_by_text("dirty.csv is in.").wait_for()
    assert imported(app, "dirty.%@example.com") == 2


def test_a_hostile_file_is_refused_in_words_and_the_screen_lives_on(app, page, choose, settled):
    choose("bomb.xlsx", bomb())
    page.get_by_text("it may be an attack").wait_for()
    assert page.get_by_role("button", name=re.compile("^Check")).count() == 0
    choose("evil.csv", b"\x80\x04\x95pickle")
    page.get_by_text("never opened").wait_for()
    choose("good.csv", b"email\nafter.hostile@example.com\n")
    page.get_by_role("button", name="Check 1 row").wait_for()
