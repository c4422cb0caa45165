"""From a catalogue file to a catalogue: everything is checked before anything is returned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from appliance.catalogue import tree, values
from appliance.catalogue.brand import read_brand
from appliance.catalogue.events import read_events
from appliance.catalogue.experiments import read_experiments
from appliance.catalogue.fields import Fields
from appliance.catalogue.images import Picture
from appliance.catalogue.paper import read_paper
from appliance.catalogue.problems import CatalogueErrors, Collector, Problem
from mqtt_bridge.protocol.catalogue import Catalogue, Limits, StaffMember, Venue
from mqtt_bridge.protocol.codec import encode

# The catalogue travels as one retained message; brokers are set up for 1 MB.
MAX_ENCODED_BYTES = 500_000

PinHasher = Callable[[str, str], str]
"""(badge, plain PIN) -> hash to store. The same PIN of the same badge should keep its hash, or every import is a change."""


@dataclass(frozen=True, slots=True)
class ReadResult:
    """A catalogue of version 0 (the importer counts versions) and its pictures."""

    catalogue: Catalogue
    assets: tuple[Picture, ...]


def read_catalogue(path: Path, hash_pin: PinHasher) -> ReadResult:
    """Return what the file says; raises ``CatalogueErrors`` with every mistake at once, in the order of lines."""
    found = Collector()
    root = tree.parse(_text_of(path), found)
    found.raise_if_any() if root is None else None
    if not isinstance(root, tree.Mapping):
        raise CatalogueErrors([Problem(1, "", "is empty or no mapping; begin with venues: and events:")])
    fields = Fields(root, "", found)
    assets: dict[str, Picture] = {}
    brand = read_brand(fields, path.parent, assets)
    venues = _venues(fields, path.parent, assets)
    events = read_events(fields, frozenset(venue.id for venue in venues), path.parent, assets)
    limits = _limits(fields)
    staff = _staff(fields, frozenset(venue.id for venue in venues), hash_pin)
    paper = read_paper(fields, path.parent, assets)
    experiments = read_experiments(fields, events, path.parent, assets)
    fields.done()
    found.raise_if_any()
    catalogue = Catalogue(0, tuple(venues), events, limits, staff, paper, experiments, brand)
    if len(encode(catalogue)) > MAX_ENCODED_BYTES:
        raise CatalogueErrors([Problem(1, "", "describes too much for one catalogue; remove events that are over")])
    return ReadResult(catalogue, tuple(assets.values()))


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > tree.MAX_BYTES:
            raise CatalogueErrors([Problem(1, "", f"{path} is larger than {tree.MAX_BYTES // 1000} KB")])
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CatalogueErrors([Problem(1, "", f"{path} cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise CatalogueErrors([Problem(line, "", "is not UTF-8; save the file as UTF-8")]) from None


def _venues(fields: Fields, folder: Path, assets: dict[str, Picture]) -> list[Venue]:
    venues: list[Venue] = []
    for each in fields.mappings("venues"):
        venue = each.value("id", values.venue_id)
        name = each.value("name", values.line)
        address = each.value("address", values.line)
        brand = read_brand(each, folder, assets)
        each.done()
        if venue in {known.id for known in venues}:
            each.wrong("id", f"{venue!r} is the id of another venue above")
        elif venue and name and address:
            venues.append(Venue(venue, name, address, brand))
        elif venue:
            # Known by id, so that sessions that name it are not reported as well.
            venues.append(Venue(venue, venue, ""))
    return venues


def _limits(fields: Fields) -> Limits:
    given = fields.mapping("limits")
    if given is None:
        return Limits()
    default = Limits()
    limits = Limits(
        per_hold=given.optional("per_hold", values.whole(1, 1000), default.per_hold),
        holds_per_client=given.optional("holds_per_client", values.whole(1, 100), default.holds_per_client),
        unpaid_per_client=given.optional("unpaid_per_client", values.whole(1, 1000), default.unpaid_per_client),
        free_per_client=given.optional("free_per_client", values.whole(1, 1000), default.free_per_client),
        share_per_client=given.optional("share_per_client", values.share, default.share_per_client),
        hold_minutes=given.optional("hold_minutes", values.minutes(0.05, 60), default.hold_minutes),
        offer_minutes=given.optional("offer_minutes", values.minutes(0.05, 1440), default.offer_minutes),
        new_clients_per_minute=given.optional(
            "new_clients_per_minute", values.whole(1, 100_000), default.new_clients_per_minute
        ),
        personal_data_days=given.optional("personal_data_days", values.whole(0, 3650), default.personal_data_days),
        unpaid_until=given.optional("unpaid_until", values.around_start, default.unpaid_until),
        verify_until=given.optional("verify_until", values.around_start, default.verify_until),
        request_share=given.optional("request_share", values.share, default.request_share),
    )
    given.done()
    return limits


def _staff(fields: Fields, venues: Iterable[str], hash_pin: PinHasher) -> tuple[StaffMember, ...]:
    staff: list[StaffMember] = []
    # PINs are hashed (slowly, by intent) only once nothing is wrong with the file.
    plain: list[tuple[int, str, str]] = []
    for each in fields.mappings("staff", required=False):
        badge = each.value("badge", values.key)
        name = each.value("name", values.line)
        pin, hashed = each.optional("pin", values.pin, None), each.optional("pin_hash", values.pin_hash, "")
        allowed = _venues_of(each, frozenset(venues))
        if (each.entry("pin") is None) == (each.entry("pin_hash") is None):
            each.wrong("pin", "write either pin or pin_hash")
        card = each.optional("card", values.yes_or_no, default=False)
        each.done()
        if badge in {member.badge for member in staff}:
            each.wrong("badge", f"{badge!r} is the badge of another person above")
        elif badge:
            if pin:
                plain.append((len(staff), badge, pin))
            staff.append(StaffMember(badge, name or badge, hashed, allowed, card))
    if not fields.found.problems:
        for index, badge, pin in plain:
            known = staff[index]
            staff[index] = StaffMember(badge, known.name, hash_pin(badge, pin), known.venues, known.card)
    return tuple(staff)


def _venues_of(member: Fields, known: frozenset[str]) -> tuple[str, ...]:
    names = member.texts("venues")
    for name in names:
        if name.text not in known:
            member.found.add(name.line, member.under("venues"), f"{name.text!r} is not the id of a venue")
    return tuple(sorted({name.text for name in names}))
