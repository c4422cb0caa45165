"""Events, their sessions, quotas and ticket types, with ids derived from their keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from appliance.catalogue import values
from appliance.catalogue.fields import Fields
from appliance.catalogue.images import Picture, picture_in, smaller
from appliance.catalogue.tree import Mapping
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.catalogue import Event, EventSession, Policy, Quota, TicketType
from mqtt_bridge.protocol.messages import Verify

MOST_TAGS = 8
LONGEST_RUN_MS = 31 * 24 * 3_600_000


class _Type(NamedTuple):
    """A ticket type as written, before its quota is known to exist."""

    fields: Fields
    name: str
    quota: str
    price_minor: int
    currency: str
    policy: Policy
    extra: int
    verify: Verify | None


def read_events(fields: Fields, venues: frozenset[str], folder: Path, assets: dict[str, Picture]) -> tuple[Event, ...]:
    """Return all events; puts their pictures into ``assets`` by sha256 and reports what is wrong to the fields' collector."""
    events: list[Event] = []
    currencies: list[str] = []
    for each in fields.mappings("events"):
        slug = each.value("slug", values.slug)
        title = each.value("title", values.line)
        summary = each.optional("summary", values.text(values.LONGEST_TEXT), "")
        picture = each.optional("image", picture_in(folder), None)
        alt = each.optional("image_alt", values.line, "")
        tags = _tags(each)
        sessions = _sessions(each, slug or "", venues, currencies)
        each.done()
        if slug in {event.slug for event in events}:
            each.wrong("slug", f"{slug!r} is the slug of another event above")
        elif slug:
            small = smaller(picture) if picture else None
            assets.update({found.sha256: found for found in (picture, small) if found})
            image, tiny = (picture.sha256, picture.tiny) if picture else (None, None)
            image_small = small.sha256 if small else None
            pictures = (image, alt, tiny, image_small)
            events.append(Event(ids.event_id(slug), slug, title or slug, summary, sessions, *pictures, tags))
    return tuple(events)


def _tags(event: Fields) -> tuple[str, ...]:
    """Return the tags, each once, in the order of the file."""
    found: list[str] = []
    for each in event.texts("tags"):
        try:
            tag = values.slug(each.text.lower())
        except ValueError:
            event.found.add(
                each.line, event.under("tags"), f"{each.text!r} is not a tag; use letters a-z, digits and '-'"
            )
            continue
        if tag not in found:
            found.append(tag)
    if len(found) > MOST_TAGS:
        event.wrong("tags", f"has {len(found)} tags; at most {MOST_TAGS} are allowed")
    return tuple(found)


def _sessions(event: Fields, slug: str, venues: frozenset[str], currencies: list[str]) -> tuple[EventSession, ...]:
    sessions: list[EventSession] = []
    for each in event.mappings("sessions"):
        at = _session(each, slug, venues, currencies)
        if at.key and at.key in {known.key for known in sessions}:
            each.wrong("key", f"{at.key!r} is the key of another session of this event")
        sessions.append(at)
    return tuple(sessions)


def _session(each: Fields, slug: str, venues: frozenset[str], currencies: list[str]) -> EventSession:
    key = each.value("key", values.key) or ""
    venue = each.value("venue", values.line) or ""
    if venue and venue not in venues:
        each.wrong("venue", f"{venue!r} is not the id of a venue; known: {', '.join(sorted(venues)) or 'none'}")
    zone = each.value("timezone", values.timezone)
    starts_at_ms, ends_at_ms = each.value("starts_at", values.time(zone)), each.value("ends_at", values.time(zone))
    opens_at_ms = each.optional("sale_opens_at", values.time(zone), None)
    closes_at_ms = each.optional("sale_closes_at", values.time(zone), None)
    _check_order(each, "ends_at", "starts_at", starts_at_ms, ends_at_ms)
    _check_order(each, "sale_closes_at", "sale_opens_at", opens_at_ms, closes_at_ms)
    if starts_at_ms is not None and ends_at_ms is not None and ends_at_ms - starts_at_ms > LONGEST_RUN_MS:
        each.wrong("ends_at", "is more than 31 days after starts_at; make several sessions")
    cancelled = each.optional("cancelled", values.switch, default=False)
    re_entry = each.optional("re_entry", values.yes_or_no, default=False)
    capacity = each.optional("capacity", values.whole(1, values.MOST_TICKETS), None)
    badges = each.optional("badges", values.yes_or_no, default=False)
    quotas, types = _stock(each, slug, key, currencies)
    each.done()
    return EventSession(
        ids.event_session_id(slug, key), key, venue, starts_at_ms or 0, ends_at_ms or 0, zone or "UTC",
        quotas, types, opens_at_ms, closes_at_ms, cancelled, re_entry=re_entry, capacity=capacity, badges=badges,
    )  # fmt: skip


def _check_order(each: Fields, later: str, earlier: str, first_ms: int | None, second_ms: int | None) -> None:
    if first_ms is not None and second_ms is not None and second_ms <= first_ms:
        each.wrong(later, f"must be after {earlier}")


def _stock(
    each: Fields, slug: str, key: str, currencies: list[str]
) -> tuple[tuple[Quota, ...], tuple[TicketType, ...]]:
    limits = _limits(each)
    types = _types(each, limits, currencies)
    extras = _extras(types)
    mistyped = extras.keys() - (limits or {}).keys()
    for name in limits or {}:
        if types and not mistyped and name not in extras:
            each.wrong("quotas", f"no ticket type draws from {name!r}; remove it or use it")
    quotas = tuple(
        Quota(ids.quota_id(slug, key, name), name, limit, extras.get(name, 0)) for name, limit in (limits or {}).items()
    )
    return quotas, tuple(
        TicketType(
            ids.ticket_type_id(slug, key, each.name), each.name, ids.quota_id(slug, key, each.quota),
            each.price_minor, each.currency, each.policy, each.verify,
        )
        for each in types
    )  # fmt: skip


def _limits(each: Fields) -> dict[str, int] | None:
    """Quota limits by name; None if there were none to compare with, which was reported."""
    given = each.mapping("quotas")
    if given is None:
        if each.entry("quotas") is None:
            each.missing("quotas", "is missing; write quotas: {seats: 100}")
        return None
    limits: dict[str, int] = {}
    for name in given.keys():  # noqa: SIM118  not a dictionary
        try:
            tidy = values.line(name)
        except ValueError as error:
            given.wrong(name, f"the name {error}")
            continue
        limits[tidy] = given.value(name, values.whole(0, values.MOST_TICKETS)) or 0
    if not limits:
        each.wrong("quotas", "is empty; write quotas: {seats: 100}")
    return limits


def _types(each: Fields, limits: dict[str, int] | None, currencies: list[str]) -> list[_Type]:
    types: list[_Type] = []
    for given in each.mappings("ticket_types"):
        name = given.value("name", values.line)
        quota = given.value("quota", values.line) or ""
        minor, currency = _price(given)
        kind, extra = given.optional("policy", values.policy, ("strict", 0))
        verify = given.optional("verify", values.verify, None)
        given.done()
        if verify and kind == "provisional":
            given.wrong("verify", "cannot be checked for a type on request; write policy: strict, or leave verify out")
        if quota and limits is not None and quota not in limits:
            given.wrong("quota", f"{quota!r} is not a quota of this session; known: {', '.join(limits) or 'none'}")
        if currency and not currencies:
            currencies.append(currency)
        if currency and currency != currencies[0]:
            given.wrong("price", f"is in {currency}, but {currencies[0]} is used above; one catalogue has one currency")
        if name in {known.name for known in types}:
            given.wrong("name", f"{name!r} is the name of another ticket type of this session")
        elif name:
            types.append(_Type(given, name, quota, minor, currency, kind, extra, verify))
    return types


def _price(given: Fields) -> tuple[int, str]:
    entry = given.entry("price")
    if entry is None:
        given.missing("price", "is missing; write 12.50 EUR, or 0 EUR if it is free")
        return 0, ""
    if not isinstance(entry.value, Mapping):
        return given.optional("price", values.price, (0, ""))
    inner = given.mapping("price")
    if inner is None:
        return 0, ""
    amount = inner.value("amount", values.line)
    currency = inner.value("currency", values.currency) or ""
    inner.done()
    if amount is None or not currency:
        return 0, currency
    return inner.optional("amount", _amount_in(currency), 0), currency


def _amount_in(currency: str) -> Callable[[str], int]:
    return lambda raw: values.price(f"{raw} {currency}")[0]


def _extras(types: list[_Type]) -> dict[str, int]:
    """Extra tickets per quota; reports types that share a quota and do not agree about ``optimistic(max)``."""
    extras: dict[str, int] = {}
    for each in types:
        first = extras.setdefault(each.quota, each.extra)
        if each.extra != first:
            agreed = f"optimistic({first})" if first else "not optimistic"
            each.fields.wrong(
                "policy", f"types of one quota must agree: the first of {each.quota!r} is {agreed}, this one is not"
            )
    return extras
