"""What staff have at the secure address: passkeys by Chromium's own virtual authenticator, and the phone's camera as a scanner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
import segno
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, Venue, book, policy_refusals, sign_in
from tests.browser.looks import complaints
from tests.browser.venue import ARGUMENTS

pytestmark = pytest.mark.system
# Chromium on Linux reads no codes itself; a phone's browser that does is stood in for by this.
READS_CODES = """
  window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect() { return window.shown ? [{ rawValue: window.shown }] : []; }
  };
"""


@pytest.fixture
def phone(browser: Browser, secure: Venue) -> Iterator[Page]:
    """A staff phone with a fingerprint reader."""
    made = browser.new_context(base_url=secure.url, viewport=PHONE)
    made.set_default_timeout(10_000)
    refused = policy_refusals(made)
    page = made.new_page()
    wires = made.new_cdp_session(page)
    wires.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    added = {**options, "isUserVerified": True, "automaticPresenceSimulation": True}
    wires.send("WebAuthn.addVirtualAuthenticator", {"options": added})
    yield page
    assert refused == []
    made.close()


def test_a_phone_makes_a_passkey_and_signs_in_with_it(phone: Page, secure: Venue):
    sign_in(phone)
    phone.goto("/staff/passkeys")
    phone.fill("#label", "Ada's phone")
    phone.get_by_role("button", name="Make a passkey").click()
    expect(phone.locator(".list")).to_contain_text("Ada's phone")
    phone.get_by_role("button", name="Sign out").click()
    phone.get_by_role("button", name="Sign in with a passkey").click()
    phone.wait_for_selector("#code")
    # Nobody's passkey any more: the page says so, and badge and PIN stand beside it.
    phone.goto("/staff/passkeys")
    phone.get_by_role("button", name="Remove: Ada, Ada's phone").click()
    phone.wait_for_url("**/staff/sign-in")
    expect(phone.get_by_role("button", name="Sign in with a passkey")).to_have_count(0)
    sign_in(phone)


@pytest.mark.slow
def test_a_passkey_that_is_gone_and_a_clock_that_is_wrong_lead_to_badge_and_pin(phone: Page, secure: Venue):
    sign_in(phone)
    phone.goto("/staff/passkeys?lang=de")
    assert complaints(phone) == {}
    phone.fill("#label", "x")
    phone.get_by_role("button", name="Passkey auf diesem Telefon anlegen").click()
    expect(phone.locator(".list")).to_contain_text("Noch nicht benutzt")
    assert complaints(phone) == {}
    phone.get_by_role("button", name="Abmelden").click()
    assert complaints(phone) == {}
    button = phone.get_by_role("button", name="Mit Passkey anmelden")
    secure.box.turn.trust(trusted=False)
    button.click()
    expect(phone.locator("form [role=alert]")).to_be_visible()
    phone.goto("/staff/sign-in")
    expect(phone.locator("main")).to_contain_text("not trusted now")
    sign_in(phone)


def picture_of(text: str) -> bytes:
    """A JPEG picture of a code, as somebody holds it before a camera."""
    drawn = BytesIO()
    segno.make_qr(text, error="m", boost_error=False).save(drawn, kind="png", scale=5, border=4)
    scene, made = Image.new("RGB", (640, 480), "white"), BytesIO()
    scene.paste(Image.open(drawn).convert("RGB"), (120, 60))
    scene.save(made, "JPEG", quality=90)
    return made.getvalue()


@pytest.mark.slow
def test_where_the_browser_reads_no_codes_the_box_office_does(
    browser: Browser, program: Callable[[str], str], secure: Venue, tmp_path: Path
):
    guest = browser.new_context(base_url=secure.url, viewport=PHONE, java_script_enabled=False)
    book(guest.new_page())
    guest.close()
    film = tmp_path / "film.mjpeg"
    film.write_bytes(picture_of(*secure.receipts()))
    camera = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    started = browser.browser_type.launch(
        executable_path=program("chromium"), args=[*ARGUMENTS, *camera, f"--use-file-for-fake-video-capture={film}"]
    )
    context = started.new_context(base_url=secure.url, viewport=PHONE, permissions=["camera"])
    context.set_default_timeout(15_000)
    refused = policy_refusals(context)
    page = context.new_page()
    sign_in(page)
    sent: list[int] = []
    page.on("request", lambda each: sent.append(len(each.post_data_buffer or b"")) if "frames" in each.url else None)
    page.get_by_role("button", name="Scan with this phone's camera").click()
    expect(page.locator(".verdict")).to_contain_text("Not paid", timeout=15_000)
    # It stays before the lens: one scan all the same, and never more pictures than were answered.
    page.wait_for_timeout(1500)
    assert secure.rows("check_in") == 1
    assert max(sent) < 50_000
    assert refused == []
    started.close()


@pytest.mark.slow
def test_a_ticket_before_the_phones_camera_is_checked_in_once(phone: Page, secure: Venue):
    """The browser reads the code itself."""
    page = phone
    page.add_init_script(READS_CODES)
    page.add_init_script(
        """navigator.mediaDevices.getUserMedia = async () => {
          const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
          setInterval(() => pen.fillRect(0, 0, 9, 9), 50);
          return canvas.captureStream(20);
        };"""
    )
    book(page)
    sign_in(page)
    (receipt,) = secure.receipts()
    page.get_by_role("button", name="Scan with this phone's camera").click()
    expect(page.locator("#camera")).to_be_visible()
    page.evaluate("receipt => { window.shown = receipt; }", receipt)
    expect(page.locator(".verdict")).to_contain_text("Not paid")
    page.wait_for_timeout(800)
    assert secure.rows("check_in") == 1
    assert complaints(page) == {}
    page.get_by_role("button", name="Camera off").click()
    expect(page.locator("#camera")).to_be_hidden()
