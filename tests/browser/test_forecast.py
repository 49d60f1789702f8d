"""The forecast in a real browser: a chart is saved as a picture."""

import io

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import expect

from ma import clock
from ma.services.campaigns import create_campaign
from ma.services.customers import import_customers
from ma.services.segments import create_segment, refresh_segment
from ma.types import SYSTEM

pytestmark = pytest.mark.browser
# The ground of the theme's two sides (.streamlit/config.toml).
GROUNDS = {"light": (0xFF, 0xFF, 0xFF), "dark": (0x12, 0x15, 0x1F)}


@pytest.fixture(scope="module")
def plan(app):
    """A draft to 80 people."""
    at = clock.now()
    frame = pd.DataFrame(
        {
            "email": [f"planned{n}@example.com" for n in range(80)],
            "postal_code": "44100",
            "consent_email": True,
        }
    )
    with app.database.writing() as session:
        import_customers(session, SYSTEM, frame, source="test", at=at)
        rule = {"field": "postal_code", "operator": "starts_with", "value": "44"}
        segment = create_segment(session, SYSTEM, name="Around 44", rule=rule, at=at)
        refresh_segment(session, SYSTEM, segment, at=at)
        return create_campaign(
            session, SYSTEM, name="To be forecast", channel="email", segment_id=segment, subject="Hi",
            body="Hi", cost_per_thousand_minor=100, fixed_cost_minor=0, at=at,
        )  # fmt: skip


def saved(page, chart):
    """The picture that the chart's button saves, with the name of its file."""
    chart.hover()
    with page.expect_download() as download:
        chart.locator('[data-title="Save as picture (PNG)"]').click()
    image = Image.open(io.BytesIO(download.value.path().read_bytes())).convert("RGBA")
    return download.value.suggested_filename, image


def test_a_chart_is_saved_as_a_picture_in_the_colours_of_the_theme(page, signed_in, plan):
    signed_in(page, "analyst", f"/forecast?campaign={plan}")
    chart = page.get_by_test_id("stPlotlyChart").first
    expect(chart.locator(".main-svg").first).to_be_visible()
    for scheme, ground in GROUNDS.items():
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(500)
        name, image = saved(page, chart)
        box = chart.bounding_box()
        assert name == "forecast-fan.png"
        assert image.width == pytest.approx(2 * box["width"], abs=4)
        # Opaque, on the theme's ground, and something is drawn on it.
        assert image.getpixel((3, image.height - 3)) == (*ground, 255)
        assert len(image.getcolors(maxcolors=1 << 24)) > 50
