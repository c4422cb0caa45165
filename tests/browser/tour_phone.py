"""A walk through what only the secure address shows: bookings that wait on the phone, tickets kept there, passkeys, the camera."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.tour import GO, MOONS, Tour
from tests.browser.venue import reload, sign_in

API = "/api/v1/holds"
# A camera that shows a blank wall.
_CAMERA = """navigator.mediaDevices.getUserMedia = async () => {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  setInterval(() => { pen.fillStyle = "#345"; pen.fillRect(0, 0, 300, 150); }, 50);
  return canvas.captureStream(20);
}"""


def come_online(walk: Tour) -> None:
    """What a browser says when the Wi-Fi is back."""
    walk.page.evaluate("() => dispatchEvent(new Event('online'))")


def worker(page: Page) -> None:
    """Wait until the service worker looks after the page; one that was on its way as it began is not looked after yet."""
    page.evaluate("() => navigator.serviceWorker.ready")
    page.wait_for_timeout(300)
    if page.evaluate("() => navigator.serviceWorker.controller === null"):
        reload(page)
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")


def kept(walk: Tour) -> None:
    """What a guest's phone keeps, from a box office that does not answer to a ticket that can be read without it."""
    page = walk.page
    walk.go("/phone")
    expect(page.locator("#keeps")).to_be_visible()
    walk.stop("phone-empty")
    walk.go(f"/events/{MOONS}")
    walk.venue.line.lose(API)
    page.click(GO)
    page.wait_for_selector(".offer")
    walk.stop("event-nobody-answers")
    page.click("[data-send]")
    page.wait_for_selector(".waits")
    walk.stop("event-waiting-to-be-sent")
    walk.go("/phone")
    page.wait_for_selector(".entry-waiting")
    walk.stop("phone-waiting")
    walk.venue.line.mend()
    come_online(walk)
    page.wait_for_selector(".ticket-row")
    walk.stop("phone-booked")
    page.locator(".ticket-row a").click()
    page.wait_for_selector(".copy")
    walk.stop("ticket-with-scripts")
    ticket = page.url
    worker(page)
    with walk.venue.gone():
        page.goto(ticket)
        expect(page.locator(".kept")).to_be_visible()
        walk.stop("ticket-offline")
        walk.go("/phone")
        expect(page.locator(".kept")).to_be_visible()
        walk.stop("phone-offline")
    walk.go("/")
    expect(page.locator(".arranged")).to_be_visible()
    walk.stop("listing-arranged")


def on_duty(walk: Tour) -> None:
    """What a staff phone has."""
    page = walk.page
    walk.go("/staff/sign-in")
    sign_in(page)
    walk.at("/staff/passkeys", "staff-passkeys")
    page.add_init_script(_CAMERA)
    walk.go("/staff/")
    page.click("#camera-on")
    expect(page.locator("#camera video")).to_be_visible()
    page.wait_for_timeout(300)
    walk.stop("staff-camera")
    page.click("#camera-off")


def everything(walk: Tour) -> None:
    """Both."""
    kept(walk)
    on_duty(walk)
