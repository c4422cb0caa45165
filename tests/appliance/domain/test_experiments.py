"""Who is shown which variant of an event, and until when."""

from __future__ import annotations

import pytest

from appliance.domain.experiments import BUCKETS, bucket_from, bucket_of, dressed, is_running, variant_for
from mqtt_bridge.protocol.catalogue import Event, Experiment, Variant

EVENT = Event("e_1", "river", "River", "Water.", (), "a" * 64, "A river", "data:,")


def experiment(*variants: Variant) -> Experiment:
    return Experiment("words", "river", "People like short words.", "held", 100, 1_000, 2_000, variants)


@pytest.mark.parametrize("number", [2, 3])
def test_every_variant_owns_the_same_number_of_buckets(number: int):
    made = experiment(*(Variant(f"v{n}") for n in range(number)))
    owners = [variant_for(made, bucket).name for bucket in range(BUCKETS)]
    assert {owners.count(each.name) for each in made.variants} == {BUCKETS // number}


def test_names_fall_into_all_buckets_about_alike_and_always_into_the_same():
    found = [bucket_of(f"visitor {n}") for n in range(12_000)]
    assert found == [bucket_of(f"visitor {n}") for n in range(12_000)]
    assert all(1_800 < found.count(bucket) < 2_200 for bucket in range(BUCKETS))


@pytest.mark.parametrize("text", ["", "6", "12", "-1", "1.5", "²", "007", "1 ", "0x1"])
def test_what_is_no_bucket_is_none(text: str):
    assert bucket_from(text) is None


def test_a_proxy_names_the_bucket():
    assert [bucket_from(str(bucket)) for bucket in range(BUCKETS)] == list(range(BUCKETS))


def test_a_variant_changes_what_it_names_and_nothing_else():
    assert dressed(EVENT, Variant("as-is")) is EVENT
    shown = dressed(EVENT, Variant("short", title="Wet"))
    assert (shown.title, shown.summary, shown.image, shown.sessions) == ("Wet", "Water.", "a" * 64, ())


def test_it_runs_from_its_start_to_its_end_and_where_no_clock_can_be_trusted_until_it_is_removed():
    made = experiment(Variant("a"), Variant("b"))
    assert [is_running(made, at, trusted=True) for at in (999, 1_000, 1_999, 2_000)] == [False, True, True, False]
    assert is_running(made, 0, trusted=False)
