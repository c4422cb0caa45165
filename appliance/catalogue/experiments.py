"""Experiments as written in the catalogue file: a question, its figure and its end, before anybody sees a variant."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from appliance.catalogue import values
from appliance.catalogue.fields import Fields
from appliance.catalogue.images import Picture, picture_in
from appliance.domain.experiments import MOST_VARIANTS, STAGES
from mqtt_bridge.protocol.catalogue import Event, Experiment, Variant

LEAST_SAMPLE, MOST_SAMPLE = 10, 1_000_000
Metric = Literal["held", "confirmed", "admitted"]


def read_experiments(
    fields: Fields, events: tuple[Event, ...], folder: Path, assets: dict[str, Picture]
) -> tuple[Experiment, ...]:
    """Return the section ``experiments``; pictures it names are added to ``assets``."""
    zones = {each.slug: each.sessions[0].timezone for each in events if each.sessions}
    known = {each.slug for each in events}
    found: list[Experiment] = []
    for each in fields.mappings("experiments", required=False):
        key = each.value("key", values.key)
        event = each.value("event", values.slug) or ""
        hypothesis = each.value("hypothesis", values.text(values.LONGEST_TEXT))
        metric = each.value("metric", _metric)
        sample = each.value("sample", values.whole(LEAST_SAMPLE, MOST_SAMPLE))
        zone = zones.get(event)
        starts_at_ms, until_ms = each.value("starts_at", values.time(zone)), each.value("until", values.time(zone))
        variants = _variants(each, folder, assets)
        each.done()
        if event and event not in known:
            each.wrong("event", f"{event!r} is not the slug of an event")
        if starts_at_ms is not None and until_ms is not None and until_ms <= starts_at_ms:
            each.wrong("until", "must be after starts_at")
        if key in {earlier.key for earlier in found}:
            each.wrong("key", f"{key!r} is the key of another experiment above")
        elif key and hypothesis and metric and sample and starts_at_ms is not None and until_ms is not None:
            made = Experiment(key, event, hypothesis, metric, sample, starts_at_ms, until_ms, variants)
            rival = next((earlier for earlier in found if _overlap(earlier, made)), None)
            if rival is not None:
                each.wrong("event", f"{rival.key!r} runs on this event at the same time; one answer needs one question")
            found.append(made)
    return tuple(found)


def _metric(raw: str) -> Metric:
    if raw not in STAGES[1:]:
        raise ValueError(f"{raw!r} is not counted; write one of {', '.join(STAGES[1:])}")
    return cast(Metric, raw)


def _variants(each: Fields, folder: Path, assets: dict[str, Picture]) -> tuple[Variant, ...]:
    variants: list[Variant] = []
    for given in each.mappings("variants"):
        name = given.value("name", values.key)
        picture = given.optional("image", picture_in(folder), None)
        variant = Variant(
            name or "",
            given.optional("title", values.line, None),
            given.optional("summary", values.text(values.LONGEST_TEXT), None),
            picture.sha256 if picture else None,
            given.optional("image_alt", values.line, None),
            picture.tiny if picture else None,
        )
        given.done()
        if picture is not None:
            assets[picture.sha256] = picture
        if name in {earlier.name for earlier in variants}:
            given.wrong("name", f"{name!r} is the name of another variant above")
        variants.append(variant)
    if each.entry("variants") is not None and not 2 <= len(variants) <= MOST_VARIANTS:
        each.wrong("variants", f"are {len(variants)}; compare two to {MOST_VARIANTS}, the first as it is shown today")
    return tuple(variants)


def _overlap(one: Experiment, other: Experiment) -> bool:
    return one.event == other.event and one.starts_at_ms < other.until_ms and other.starts_at_ms < one.until_ms
