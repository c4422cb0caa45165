from __future__ import annotations

import pytest

from mqtt_bridge.protocol.generations import incarnation, superseded


@pytest.mark.parametrize(
    ("inc", "generation", "is_superseded"),
    [
        (incarnation(1, "abcd"), 1, False),
        (incarnation(1, "abcd"), 2, True),
        (incarnation(10, "abcd"), 9, False),
        (incarnation(2, "9.9"), 3, True),
        ("abcd", 3, False),
        ("a.bcd", 3, False),
        ("", 3, False),
    ],
)
def test_a_message_of_an_earlier_generation_is_told_by_its_incarnation(
    inc: str, generation: int, is_superseded: bool
) -> None:
    assert superseded(inc, generation) is is_superseded
