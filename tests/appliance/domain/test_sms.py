"""What may become of a text message, and what counts as a telephone number."""

from __future__ import annotations

import pytest

from appliance.domain.errors import Invalid
from appliance.domain.sms import RETRY_MS, decided, move, number_of, retry_after_ms


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+49 170 123-45 67", "+491701234567"),
        ("0170/1234567", "01701234567"),
        ("(030) 123 45 67", "0301234567"),
        ("+1\u2011202\u2013555.0100", "+12025550100"),
        ("anna@example.org", None),
        ("110", None),
        ("+49 170 12x4567", None),
        ("1" * 16, None),
        ("0170 1234567, after six", None),
        ("", None),
        ("٠١٧٠١٢٣٤٥٦٧", None),
    ],
)
def test_a_number_is_found_in_what_people_write(written: str, number: str | None) -> None:
    assert number_of(written) == number


def test_what_was_sent_or_may_have_been_is_never_sent_again_by_itself() -> None:
    for state in ("sent", "ambiguous"):
        with pytest.raises(Invalid):
            move(state, "sending")
    with pytest.raises(Invalid):
        move("sent", "queued")
    with pytest.raises(Invalid):
        move("failed", "sent")


def test_a_person_decides_what_is_in_doubt() -> None:
    assert decided("ambiguous", "arrived") == "sent"
    assert decided("ambiguous", "again") == "queued"
    assert decided("ambiguous", "leave") == "failed"
    assert decided("failed", "again") == "queued"
    for state in ("sent", "sending"):
        with pytest.raises(Invalid):
            decided(state, "again")
    with pytest.raises(Invalid):
        decided("queued", "arrived")


def test_attempts_come_ever_later_and_end() -> None:
    waits = [retry_after_ms(attempts) for attempts in range(1, len(RETRY_MS) + 2)]
    assert waits == [*RETRY_MS, None]
    assert list(RETRY_MS) == sorted(RETRY_MS)
