"""An organiser's name, colour and logo: read with every mistake named, the logo made fit for light and dark pages."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from PIL import Image, ImageDraw

from appliance.catalogue.brand import HEIGHT, MAX_BYTES, WIDTH, read_logo
from mqtt_bridge.protocol.catalogue import Brand, Catalogue, Venue
from mqtt_bridge.protocol.codec import decode, encode
from tests.appliance.catalogue.test_reader import GOOD, changed, problems, read


def drawn(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (900, 200)) -> Path:
    """A logo of one colour with a transparent ground."""
    image = Image.new("RGBA", size, (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((20, 20, size[0] - 20, size[1] - 20), fill=(*colour, 255))
    image.save(path)
    return path


def test_a_brand_of_the_file_and_one_of_a_venue(tmp_path: Path):
    drawn(tmp_path / "logo.png", (11, 95, 255))
    text = changed(("name: The Yard,", 'name: The Yard, brand: {colour: "#fff"},'))
    found = read(tmp_path, text + 'brand: {name: Lantern Collective, colour: "#0B5FFF", logo: logo.png}\n')
    catalogue = found.catalogue
    assert catalogue.brand is not None
    assert catalogue.brand_of("hall") == Brand("Lantern Collective", "#0b5fff", catalogue.brand.logo)
    assert catalogue.brand_of("yard") == Brand("Lantern Collective", "#ffffff", catalogue.brand.logo)
    assert catalogue.brand_of("elsewhere").name == "Lantern Collective"
    assert catalogue.brand.logo in catalogue.images
    assert [each.sha256 for each in found.assets] == [catalogue.brand.logo]


def test_a_file_without_a_brand_reads_as_it_always_did_on_older_devices(tmp_path: Path):
    catalogue = read(tmp_path, GOOD).catalogue
    assert catalogue.brand_of("hall") == Brand()
    assert b"brand" not in encode(catalogue)
    assert decode(encode(catalogue), Catalogue) == catalogue
    branded = msgspec.structs.replace(
        catalogue, brand=Brand("X"), venues=(Venue("hall", "H", "a", Brand(colour="#000000")),)
    )
    assert decode(encode(branded), Catalogue) == branded


def test_every_mistake_is_named(tmp_path: Path):
    drawn(tmp_path / "logo.png", (0, 0, 0))
    (tmp_path / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>", "utf-8")
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(tmp_path / "empty.png")
    found = problems(tmp_path, GOOD + "brand: {colour: blue, logo: logo.svg, color: 1}\n")
    assert any("brand.colour" in each and "'blue' is no colour" in each for each in found)
    assert any("brand.logo" in each and "cannot be decoded" in each for each in found)
    assert any("brand.color" in each and "did you mean colour?" in each for each in found)
    [nameless] = problems(tmp_path, GOOD + "brand: {logo: logo.png}\n")
    assert "needs a name beside it" in nameless
    [nothing] = problems(tmp_path, GOOD + "brand: {name: X, logo: empty.png}\n")
    assert "nothing but transparency" in nothing


@pytest.mark.parametrize(("colour", "ground"), [((10, 10, 40), 255), ((250, 250, 210), 0), ((255, 198, 41), 0)])
def test_a_transparent_logo_gets_the_ground_it_stands_out_from(
    tmp_path: Path, colour: tuple[int, int, int], ground: int
):
    made = read_logo(drawn(tmp_path / "logo.png", colour))
    with Image.open(BytesIO(made.body)) as image:
        assert image.mode == "RGB"
        assert all(abs(each - ground) < 12 for each in image.getpixel((0, 0)))


def test_a_logo_is_small_whatever_it_was(tmp_path: Path):
    noise = Image.effect_noise((3000, 3000), 120).convert("RGB")
    noise.save(tmp_path / "noise.png")
    made = read_logo(tmp_path / "noise.png")
    with Image.open(BytesIO(made.body)) as image:
        assert image.width <= WIDTH
        assert image.height <= HEIGHT
    assert len(made.body) <= MAX_BYTES
    assert made.media_type == "image/webp"
