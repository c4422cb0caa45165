"""The catalogue file: what fits becomes a catalogue, everything else is reported at once with line and field."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from appliance.catalogue import CatalogueErrors, ReadResult, keeping, read_catalogue
from appliance.catalogue.images import MAX_BYTES
from appliance.demo.town import EXAMPLE
from appliance.domain.pins import verify_pin
from mqtt_bridge.protocol import ids

GOOD = """\
venues:
  - {id: hall, name: The Hall, address: 1 North Street}
  - {id: yard, name: The Yard, address: 2 South Street}
events:
  - slug: night
    title: One Night
    summary: A room.
    sessions:
      - key: friday
        venue: hall
        starts_at: 2026-12-04 20:00
        ends_at: "2026-12-04T23:00:00+01:00"
        timezone: Europe/Berlin
        quotas: {room: 100, floor: 50}
        ticket_types:
          - {name: Adult, price: {amount: "12.50", currency: EUR}, quota: room, policy: strict}
          - {name: Child, price: 0 EUR, quota: room, policy: provisional}
          - {name: Standing, price: 9 EUR, quota: floor, policy: optimistic(10)}
staff:
  - {badge: A7, name: Amira, pin: "4711"}
"""


def read(tmp_path: Path, text: str) -> ReadResult:
    path = tmp_path / "catalogue.yaml"
    path.write_text(text, "utf-8")
    return read_catalogue(path, keeping((), lambda n: b"s" * n))


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(CatalogueErrors) as caught:
        read(tmp_path, text)
    return [str(each) for each in caught.value.problems]


def changed(*replacements: tuple[str, str]) -> str:
    text = GOOD
    for old, new in replacements:
        assert old in text, old
        text = text.replace(old, new)
    return text


def test_a_good_file_becomes_a_catalogue_with_derived_ids(tmp_path: Path) -> None:
    """Prices in minor units, times in ms, extra of optimistic types in their quota, ids from keys."""
    catalogue = read(tmp_path, GOOD).catalogue
    event = catalogue.event["night"]
    at = event.sessions[0]
    assert event.id == ids.event_id("night")
    assert at.id == ids.event_session_id("night", "friday")
    assert (at.starts_at_ms, at.ends_at_ms) == (1_796_410_800_000, 1_796_421_600_000)
    assert [(each.name, each.limit, each.extra) for each in at.quotas] == [("room", 100, 0), ("floor", 50, 10)]
    assert [(each.name, each.price_minor, each.policy) for each in at.ticket_types] == [
        ("Adult", 1250, "strict"),
        ("Child", 0, "provisional"),
        ("Standing", 900, "optimistic"),
    ]
    assert at.ticket_types[0].quota == ids.quota_id("night", "friday", "room") == at.quotas[0].id
    assert catalogue.limits.unpaid_until is None


def test_tags_are_short_words_each_once(tmp_path: Path) -> None:
    """What they may be is what fits an attribute of a page: words, no sentences."""
    tagged = GOOD.replace("summary: A room.", "summary: A room.\n    tags: [Music, late, music]")
    assert read(tmp_path, tagged).catalogue.events[0].tags == ("music", "late")
    assert read(tmp_path, GOOD).catalogue.events[0].tags == ()
    wrong = problems(tmp_path, GOOD.replace("summary: A room.", "summary: A room.\n    tags: [two words]"))
    assert any("events[0].tags" in each and "is not a tag" in each for each in wrong), wrong
    many = ", ".join(f"t{n}" for n in range(9))
    assert (
        "at most 8" in problems(tmp_path, GOOD.replace("summary: A room.", f"summary: A room.\n    tags: [{many}]"))[0]
    )


@pytest.mark.parametrize(("written", "minutes"), [("0.1", 0.1), ("2", 2), ("60", 60)])
def test_a_hold_may_last_a_fraction_of_a_minute(tmp_path: Path, written: str, minutes: float) -> None:
    result = read(tmp_path, changed(("staff:", f"limits: {{hold_minutes: {written}}}\nstaff:")))
    assert result.catalogue.limits.hold_minutes == minutes


@pytest.mark.parametrize(
    ("lines", "re_entry", "capacity", "fit"),
    [
        ("", False, None, 160),
        ("        re_entry: yes\n        capacity: 90\n", True, 90, 90),
        ("        re_entry: no\n", False, None, 160),
    ],
)
def test_a_session_says_who_may_come_back_and_how_many_fit(
    tmp_path: Path, lines: str, re_entry: bool, capacity: int | None, fit: int
) -> None:
    """Without a capacity as many fit as there can be tickets, the extra ones included."""
    at = read(tmp_path, changed(("        quotas:", f"{lines}        quotas:"))).catalogue.events[0].sessions[0]
    assert (at.re_entry, at.capacity, at.room_for) == (re_entry, capacity, fit)
    assert at.badges is False


def test_a_session_may_have_badges(tmp_path: Path) -> None:
    text = changed(("        quotas:", "        badges: yes\n        quotas:"))
    assert read(tmp_path, text).catalogue.events[0].sessions[0].badges is True


def test_a_plain_pin_leaves_the_file_only_as_a_hash_that_stays(tmp_path: Path) -> None:
    """Importing the same file again keeps the hash although its salt was random; a new PIN gets a new one."""
    path = tmp_path / "catalogue.yaml"
    path.write_text(GOOD, "utf-8")
    first = read_catalogue(path, keeping((), lambda n: b"1" * n)).catalogue
    assert verify_pin("4711", first.staff[0].pin_hash)
    again = read_catalogue(path, keeping(first.staff, lambda n: b"2" * n)).catalogue
    assert again == first
    path.write_text(GOOD.replace("4711", "4712"), "utf-8")
    other = read_catalogue(path, keeping(first.staff, lambda n: b"2" * n)).catalogue
    assert verify_pin("4712", other.staff[0].pin_hash)


def test_a_pin_whose_hash_became_too_cheap_to_try_is_hashed_anew(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.yaml"
    path.write_text(GOOD, "utf-8")
    first = read_catalogue(path, keeping((), lambda n: b"1" * n)).catalogue.staff[0]
    digest = hashlib.scrypt(b"4711", salt=bytes(16), n=16, r=8, p=1, dklen=32).hex()
    old = msgspec.structs.replace(first, pin_hash=f"scrypt$16$8$1${'00' * 16}${digest}")
    assert verify_pin("4711", old.pin_hash)
    again = read_catalogue(path, keeping((old,), lambda n: b"1" * n)).catalogue.staff[0]
    assert again == first


def test_the_demos_own_catalogue_is_right_and_its_pictures_are_small() -> None:
    """Ten venues for ten demo devices, a poster for every event, each small enough to stay as it is, and a smaller copy."""
    read = read_catalogue(EXAMPLE, keeping((), lambda n: b"s" * n))
    assert len(read.catalogue.venues) == 10
    assert all(event.image and event.image_alt for event in read.catalogue.events)
    assert len({event.image for event in read.catalogue.events}) == len(read.catalogue.events)
    assert read.catalogue.images == {picture.sha256 for picture in read.assets}
    for event in read.catalogue.events:
        sizes = {each.sha256: len(each.body) for each in read.assets if each.sha256 in (event.image, event.image_small)}
        assert len(sizes) == 2
        assert sizes[event.image_small or ""] < sizes[event.image or ""] * 0.6
        assert sizes[event.image or ""] <= MAX_BYTES


ONE_MISTAKE = [
    (("title: One Night", "title: ''"), "line 6: events[0].title: is empty"),
    (("title: One Night", "titel: One Night"), "line 6: events[0].titel: is not a field; did you mean title?"),
    (("title: One Night", "title: [a]"), "line 6: events[0].title: must be a single value, not a list"),
    (
        ("title: One Night", f"title: {'x' * 201}"),
        "line 6: events[0].title: is 201 characters long; at most 200 are allowed",
    ),
    (("title: One Night", 'title: "a\\u0007b"'), "line 6: events[0].title: contains control characters; remove them"),
    (("slug: night", "slug: One Night"), "line 5: events[0].slug: 'One Night' is not a slug"),
    (("id: yard", "id: Yard"), "line 3: venues[1].id: 'Yard' is not an id"),
    (("id: yard", "id: hall"), "line 3: venues[1].id: 'hall' is the id of another venue above"),
    (
        ("venue: hall", "venue: barn"),
        "line 10: events[0].sessions[0].venue: 'barn' is not the id of a venue; known: hall, yard",
    ),
    (("2026-12-04 20:00", "tomorrow"), "line 11: events[0].sessions[0].starts_at: 'tomorrow' is not a time"),
    (
        ("2026-12-04 20:00", "2026-13-04 20:00"),
        "line 11: events[0].sessions[0].starts_at: '2026-13-04 20:00' is not a time",
    ),
    (("2026-12-04 20:00", "2026-12-04 23:00"), "line 12: events[0].sessions[0].ends_at: must be after starts_at"),
    (
        ("2026-12-04 20:00", "2026-10-04 20:00"),
        "line 12: events[0].sessions[0].ends_at: is more than 31 days after starts_at",
    ),
    (
        ("2026-12-04 20:00", "2026-03-29 02:30"),
        "line 11: events[0].sessions[0].starts_at: 2026-03-29 02:30 does not exist in",
    ),
    (
        ("2026-12-04 20:00", "2026-10-25 02:30"),
        "line 11: events[0].sessions[0].starts_at: 2026-10-25 02:30 happens twice in",
    ),
    (("Europe/Berlin", "Europe/Bärlin"), "line 13: events[0].sessions[0].timezone: 'Europe/Bärlin' is not a time zone"),
    (
        ("Europe/Berlin", "../../etc/passwd"),
        "line 13: events[0].sessions[0].timezone: '../../etc/passwd' is not a time zone",
    ),
    (("{room: 100,", "{room: -1,"), "line 14: events[0].sessions[0].quotas.room: -1 is not from 0 to 1000000"),
    (
        ("        quotas:", "        re_entry: maybe\n        quotas:"),
        "line 14: events[0].sessions[0].re_entry: 'maybe' is neither yes nor no",
    ),
    (
        ("        quotas:", "        capacity: 0\n        quotas:"),
        "line 14: events[0].sessions[0].capacity: 0 is not from 1 to 1000000",
    ),
    (("{room: 100,", "{room: many,"), "line 14: events[0].sessions[0].quotas.room: 'many' is not a whole number"),
    (
        ("{room: 100,", "{room: 100, attic: 3,"),
        "line 14: events[0].sessions[0].quotas: no ticket type draws from 'attic'",
    ),
    (("quota: floor", "quota: flour"), "line 18: events[0].sessions[0].ticket_types[2].quota: 'flour' is not a quota"),
    (
        ('"12.50"', '"12.505"'),
        "line 16: events[0].sessions[0].ticket_types[0].price.amount: '12.505' has more than 2 decimals",
    ),
    (
        ('"12.50"', '"-1"'),
        "line 16: events[0].sessions[0].ticket_types[0].price.amount: '-1' is not an amount of money",
    ),
    (("0 EUR", "free"), "line 17: events[0].sessions[0].ticket_types[1].price: 'free' is not a price; write 12.50 EUR"),
    (("0 EUR", "0 euro"), "line 17: events[0].sessions[0].ticket_types[1].price: 'euro' is not a currency"),
    (("9 EUR", "9 USD"), "line 18: events[0].sessions[0].ticket_types[2].price: is in USD, but EUR is used above"),
    (("policy: strict", "policy: lax"), "line 16: events[0].sessions[0].ticket_types[0].policy: 'lax' is not a policy"),
    (
        ("optimistic(10)", "optimistic"),
        "line 18: events[0].sessions[0].ticket_types[2].policy: 'optimistic' is not a policy",
    ),
    (
        ("optimistic(10)", "optimistic(0)"),
        "line 18: events[0].sessions[0].ticket_types[2].policy: 'optimistic(0)': the number",
    ),
    (
        ("provisional", "optimistic(5)"),
        "line 17: events[0].sessions[0].ticket_types[1].policy: types of one quota must agree",
    ),
    (
        ("name: Child", "name: Adult"),
        "line 17: events[0].sessions[0].ticket_types[1].name: 'Adult' is the name of another",
    ),
    (('pin: "4711"', 'pin: "12"'), "line 20: staff[0].pin: is not a PIN; write 4 to 12 digits"),
    ((', pin: "4711"', ""), "line 20: staff[0].pin: write either pin or pin_hash"),
    ((', pin: "4711"', ", pin_hash: abc"), "line 20: staff[0].pin_hash: is not a hash of a PIN"),
    (('pin: "4711"', 'pin: "4711", venues: [hall, barn]'), "line 20: staff[0].venues: 'barn' is not the id of a venue"),
    (("summary: A room.", "image: no.webp"), "line 7: events[0].image:"),
    (
        ("venue: hall", "venue: hall\n        cancelled: maybe"),
        "line 11: events[0].sessions[0].cancelled: 'maybe' is neither",
    ),
    (
        ("venue: hall", "venue: hall\n        venue: yard"),
        "line 11: events[0].sessions[0].venue: appears twice; first on line 10",
    ),
    (("staff:", "limits: {per_hold: 0}\nstaff:"), "line 19: limits.per_hold: 0 is not from 1 to 1000"),
    (("staff:", "limits: {share_per_client: 2}\nstaff:"), "line 19: limits.share_per_client: '2' is not a share"),
    (("staff:", "limits: {request_share: 0}\nstaff:"), "line 19: limits.request_share: '0' is not a share"),
    (
        ("staff:", "limits: {unpaid_until: soon}\nstaff:"),
        "line 19: limits.unpaid_until: 'soon' is not known; write staff, 30m",
    ),
    (("staff:", "limits: {hold_minutes: 0.01}\nstaff:"), "line 19: limits.hold_minutes: 0.01 is not from 0.05 to 60"),
    (
        ("staff:", "limits: {hold_minutes: short}\nstaff:"),
        "line 19: limits.hold_minutes: 'short' is not a number of minutes; write 10 or 0.5",
    ),
    (("staff:", "limits: {per_holds: 3}\nstaff:"), "line 19: limits.per_holds: is not a field; did you mean per_hold?"),
    (("staff:", "stuff:"), "line 19: stuff: is not a field; did you mean staff?"),
    (("venues:", "venues: &all"), "line 1: anchors (&) and aliases (*) are not allowed"),
    (("title: One Night", "title: !!python/object:os.system x"), "line 6: tags (!) are not allowed"),
    (("title: One Night", "title: 'One"), "line 21: not YAML: while scanning a quoted scalar"),
    (("staff:", "---\nstaff:"), "line 20: a second document begins here"),
]


@pytest.mark.parametrize(("change", "expected"), ONE_MISTAKE, ids=[expected[:60] for _, expected in ONE_MISTAKE])
def test_one_mistake_gives_one_problem_at_its_line_and_field(
    tmp_path: Path, change: tuple[str, str], expected: str
) -> None:
    """Nothing else is reported: no mistake drags others along."""
    found = problems(tmp_path, changed(change))
    assert len(found) == 1, found
    assert found[0].startswith(expected), found


def test_all_mistakes_are_reported_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    """A person mends the file in one go."""
    text = changed(
        ("id: yard", "id: Yard"), ("title: One Night", "titel: x"), ("optimistic(10)", "often"), ('"4711"', "x")
    )
    assert [each.split(":")[0] for each in problems(tmp_path, text)] == [
        "line 3",
        "line 6",
        "line 18",
        "line 20",
    ]


def test_a_pin_is_never_repeated_in_a_message(tmp_path: Path) -> None:
    """What is wrong with a PIN is said without saying the PIN."""
    assert "secret99" not in "".join(problems(tmp_path, changed(('"4711"', "secret99"))))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1: is empty or no mapping"),
        ("- a\n", "line 1: is empty or no mapping"),
        ("venues: []\nevents: []\n", "line 1: venues: is empty"),
        ("[" * 100_000, "line 1: nested more than 12 levels deep"),
        ("a: [" + "x, " * 30_000 + "]", "line 1: the file has more than 20000 values"),
        ("a: " + "x" * 1_000_001, "line 1: "),
    ],
    ids=["empty", "a list", "no venues", "deep", "many", "large"],
)
def test_odd_and_hostile_files_are_refused_in_time(tmp_path: Path, text: str, expected: str) -> None:
    """Depth, number of values and size are bounded before anything is built from them."""
    assert problems(tmp_path, text)[0].startswith(expected)


def test_a_file_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    """Latin-1 umlauts are the usual reason."""
    path = tmp_path / "catalogue.yaml"
    path.write_bytes(GOOD.replace("A room.", "Schön.").encode("latin-1"))
    with pytest.raises(CatalogueErrors, match="line 7: is not UTF-8"):
        read_catalogue(path, keeping((), bytes))


@pytest.mark.parametrize(
    ("word", "minutes"),
    [("staff", None), ("30m before start", -30), ("15m after start", 15), ("2h before start", -120)],
)
def test_unpaid_orders_end_before_or_after_the_start_or_by_staffs_switch(
    tmp_path: Path, word: str, minutes: int | None
) -> None:
    """The three forms of ``unpaid_until``."""
    text = GOOD.replace("staff:", f"limits: {{unpaid_until: {word}}}\nstaff:")
    assert read(tmp_path, text).catalogue.limits.unpaid_until == minutes


def test_any_picture_becomes_a_small_webp_with_a_preview(tmp_path: Path) -> None:
    """A large photograph is scaled to 640 px and at most 20 KB, and once more to 320 px; the preview is inlined."""
    noise = Image.effect_noise((1600, 1000), 90).convert("RGB")
    noise.save(tmp_path / "photo.jpg", quality=95)
    result = read(tmp_path, GOOD.replace("summary: A room.", "image: photo.jpg\n    image_alt: Noise"))
    picture = result.assets[0]
    with Image.open(tmp_path / "photo.jpg") as original:
        assert original.width == 1600
    (tmp_path / "out.webp").write_bytes(picture.body)
    with Image.open(tmp_path / "out.webp") as made:
        assert (made.format, made.width <= 640) == ("WEBP", True)
    assert len(picture.body) <= MAX_BYTES
    event = result.catalogue.events[0]
    assert event.image == picture.sha256
    assert event.image_tiny is not None
    assert event.image_tiny.startswith("data:image/webp;base64,")
    assert len(event.image_tiny) < 400


def test_a_photograph_gets_a_copy_for_small_screens_and_a_small_one_does_not(tmp_path: Path) -> None:
    """320 px of width, and never more bytes than the larger one."""
    Image.radial_gradient("L").resize((1600, 1000)).save(tmp_path / "photo.jpg")
    Image.radial_gradient("L").resize((300, 200)).save(tmp_path / "small.jpg")
    result = read(tmp_path, GOOD.replace("summary: A room.", "image: photo.jpg\n    image_alt: Light"))
    large, small = result.assets
    with Image.open(BytesIO(small.body)) as made:
        assert (made.format, made.size) == ("WEBP", (320, 200))
    assert len(small.body) < len(large.body)
    event = result.catalogue.events[0]
    assert (event.image, event.image_small) == (large.sha256, small.sha256)
    other = read(tmp_path, GOOD.replace("summary: A room.", "image: small.jpg\n    image_alt: Light"))
    assert other.catalogue.events[0].image_small is None


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg/>", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_broken_picture_is_reported_and_never_crashes(tmp_path: Path, content: bytes) -> None:
    """Whatever the bytes are, the file's line and field are named."""
    (tmp_path / "bad.png").write_bytes(content)
    found = problems(tmp_path, GOOD.replace("summary: A room.", "image: bad.png"))
    assert found[0].startswith("line 7: events[0].image: bad.png cannot be decoded")


def test_names_are_normalised_and_may_be_of_any_script(tmp_path: Path) -> None:
    """Decomposed letters become composed, so that two spellings of one name are one."""
    text = GOOD.replace("One Night", "Cafe\u0301 ليلة 🎺")
    assert read(tmp_path, text).catalogue.events[0].title == "Café ليلة 🎺"


PAPER = """paper:
  logo: logo.png
  drawer: yes
  templates:
    stub: |
      title {event}
      center {code}
"""


def test_what_printers_print_is_part_of_the_file(tmp_path: Path) -> None:
    """The logo travels like other pictures."""
    Image.new("L", (300, 100), 0).save(tmp_path / "logo.png")
    result = read(tmp_path, GOOD + PAPER)
    paper = result.catalogue.paper
    assert paper.templates == (("stub", "title {event}\ncenter {code}"),)
    assert paper.drawer
    assert [asset.sha256 for asset in result.assets] == [paper.logo]
    assert result.catalogue.images == {paper.logo}
    assert read(tmp_path, GOOD).catalogue.paper.templates == ()


def test_every_mistake_in_a_template_is_named(tmp_path: Path) -> None:
    """With its line inside the template, and the field of the file."""
    wrong = PAPER.replace("title {event}", "shout {event}").replace("{code}", "{seat}").replace("stub:", "stub:")
    found = problems(tmp_path, GOOD + wrong + "    ticket: x\n")
    assert any("paper.logo" in each for each in found)
    assert any("paper.templates.stub: Line 1: 'shout' is no way to begin a line" in each for each in found)
    assert any("paper.templates.stub: Line 2: there is no fact {seat}" in each for each in found)
    assert any("paper.templates.ticket: is not a field" in each for each in found)
