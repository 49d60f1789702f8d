"""Using a screen's boxes as somebody would who waits until the screen has finished drawing."""

import re

from playwright.sync_api import Locator, Page, TimeoutError, expect

# A screen is asked for by a message and only then begins to be drawn: until then it looks finished.
WATCH = """
window.drawing = {asked: 0, begun: 0, at: 0};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (message) {
    Object.assign(drawing, {asked: drawing.asked + 1, at: performance.now()});
    return send.call(this, message);
};
new MutationObserver(changes => {
    if (changes.some(change => change.target.dataset.testScriptState === "running"))
        drawing.begun = drawing.asked;
}).observe(document, {subtree: true, attributeFilter: ["data-test-script-state"]});
"""
# Not every message draws anything, and what is drawn at once is never seen running: such are given up on.
SETTLED = """() => {
    const {asked, begun, at} = window.drawing;
    return (asked === begun || performance.now() - at > 2000)
        && document.querySelector('[data-testid=stApp][data-test-script-state=notRunning]') !== null;
}"""


def settle(page: Page) -> Page:
    """Wait until the screen has finished drawing what it was asked for; needs WATCH in its context."""
    page.wait_for_function(SETTLED, timeout=20_000)
    return page


def press(page: Page, name: str) -> None:
    """Press the button of that name and wait for what it draws."""
    page.get_by_role("button", name=name, exact=True).click()
    settle(page)


def pick(page: Page, label: str, text: str, number: int = -1) -> None:
    """Choose an option of a select box by typing it; a redraw may close the list, so it is tried again."""
    chosen = re.compile(f"^{re.escape(text)}", re.I)
    for attempt in range(5):
        settle(page)
        page.get_by_role("combobox", name=label, exact=True).nth(number).click()
        try:
            # An open list hides the other boxes from roles: their numbers are no longer the same.
            page.locator("input:focus").fill(text, timeout=2_000)
            page.get_by_role("option").filter(has_text=text).first.click(timeout=2_000)
            break
        except TimeoutError:
            assert attempt < 4
            page.keyboard.press("Escape")
    box = page.get_by_role("combobox", name=label, exact=True).nth(number)
    expect(box).to_have_value(chosen)
    settle(page)


def enter(page: Page, label: str, text: str) -> Locator:
    """Type into the last box of that label and press Enter; the box."""
    settle(page)
    box = page.get_by_label(label, exact=True).last
    box.fill(text)
    box.press("Enter")
    return box
