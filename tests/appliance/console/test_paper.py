"""An operator sees what a template prints, publishes it to every venue, and goes back to the file's."""

from __future__ import annotations

import base64
import io
import re
from html import unescape

import msgspec
from flask.testing import FlaskClient
from PIL import Image

from mqtt_bridge.cloud.store import apply_catalogue, current_catalogue
from mqtt_bridge.protocol.catalogue import Paper
from tests.mqtt_bridge.cloud.world import World, catalogue

OWN = "title Welcome\ncenter huge {code}"


def templates(world: World) -> dict[str, str]:
    with world.database.read() as db:
        return dict(current_catalogue(db).paper.templates)


def version(world: World) -> object:
    return world.scalar("SELECT catalogue_version FROM cloud")


def send(client: FlaskClient, action: str, text: str = "", kind: str = "stub") -> str:
    form = {"action": action, "text": text.replace("\n", "\r\n")}
    return unescape(client.post(f"/paper/{kind}", data=form, follow_redirects=True).text)


def picture(page: str) -> Image.Image:
    found = re.search(r'src="data:image/png;base64,([^"]+)"', page)
    assert found is not None
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


def import_with(world: World, **texts: str) -> list[str]:
    paper = Paper(tuple(texts.items()))
    return apply_catalogue(world.database, msgspec.structs.replace(catalogue(), paper=paper), {}, world.now_ms)


def test_a_preview_shows_the_text_on_paper_and_changes_nothing(operator: FlaskClient, world: World) -> None:
    """The paper of a longer template is longer: the picture is drawn from what was typed."""
    before = version(world)
    short, long = (picture(send(operator, "preview", OWN + more)) for more in ("", "\nfeed 9\nrule"))
    assert long.height > short.height
    assert (version(world), templates(world)) == (before, {})


def test_a_text_that_no_printer_could_print_is_not_published(operator: FlaskClient, world: World) -> None:
    """A code holds only so much; the page says so instead of failing."""
    for action in ("preview", "publish"):
        page = send(operator, action, f"center {{event}}\nqr {'a' * 2900}")
        assert "A printer cannot print this" in page
    assert templates(world) == {}


def test_mistakes_are_listed_with_their_lines_and_nothing_is_published(operator: FlaskClient, world: World) -> None:
    page = send(operator, "publish", "shout {event}\nleft {seat}")
    assert "Line 1: 'shout' is no way to begin a line" in page
    assert "Line 2: there is no fact {seat} here" in page
    assert "shout {event}" in page, "what was typed stays in the form"
    assert templates(world) == {}


def test_a_published_template_reaches_every_device_and_can_be_taken_back(operator: FlaskClient, world: World) -> None:
    assert "Every venue prints it so" in send(operator, "publish", OWN)
    assert templates(world) == {"stub": OWN}
    world.tick()
    assert b"center huge {code}" in world.wire.retained["marquee/1/acme/all/catalogue"]
    assert "Back to the product" in operator.get("/paper/stub").text
    send(operator, "reset")
    assert templates(world) == {}


def test_publishing_the_same_again_makes_no_new_version(operator: FlaskClient, world: World) -> None:
    send(operator, "publish", OWN)
    before = version(world)
    send(operator, "publish", OWN + "\n")
    assert version(world) == before


def test_the_operators_template_holds_until_the_file_says_something_new(operator: FlaskClient, world: World) -> None:
    import_with(world, stub="left {code}")
    send(operator, "publish", OWN)
    assert import_with(world, stub="left {code}") == []
    assert templates(world) == {"stub": OWN}
    assert "Back to the file" in operator.get("/paper/stub").text
    assert import_with(world, stub="right {code}") == ["print templates changed"]
    assert templates(world) == {"stub": "right {code}"}
    assert "From the catalogue file" in operator.get("/paper/stub").text


def test_the_script_gets_the_picture_or_what_is_wrong(operator: FlaskClient) -> None:
    drawn = operator.post("/paper/badge/picture", data={"text": "center {name}"}).get_json()
    assert drawn["problems"] == []
    assert drawn["picture"].startswith("data:image/png;base64,")
    assert operator.post("/paper/badge/picture", data={"text": "x"}).get_json()["problems"]
    assert operator.get("/paper/nothing").status_code == 404
