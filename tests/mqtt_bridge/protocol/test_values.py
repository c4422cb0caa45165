"""Stock arithmetic, money, ids, topics and the codec."""

from __future__ import annotations

import msgspec
import pytest
from babel.numbers import get_currency_precision, list_currencies
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.protocol import ids, money, topics
from mqtt_bridge.protocol.codec import (
    VERSION,
    decode,
    encode,
    key_id,
    open_envelope,
    private_hash,
    public_key,
    seal_envelope,
    verify,
)
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError
from mqtt_bridge.protocol.messages import CheckInUndone, Content, Envelope, Private
from mqtt_bridge.protocol.stock import Totals, pool

count = st.integers(0, 10_000)
totals = st.builds(Totals, count, count, count, count, count)


@given(totals, totals, totals)
def test_merging_forgives_repetition_and_order(a: Totals, b: Totals, c: Totals) -> None:
    """The merge is idempotent, commutative and associative, and nothing ever shrinks."""
    assert a.merge(a) == a
    assert a.merge(b) == b.merge(a)
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert all(x <= y for x, y in zip(msgspec.structs.astuple(a), msgspec.structs.astuple(a.merge(b)), strict=True))


@given(count, count, count)
def test_what_is_owed_back_is_promised_or_was_taken_too_much_never_both(told: int, taken: int, standing: int) -> None:
    owed = money.owed_back(told, taken, standing)
    assert owed >= told
    assert owed == told or owed == taken - standing
    assert owed - told <= taken


@given(totals, count, count)
def test_a_return_never_breaks_a_hold(of: Totals, held: int, asked: int) -> None:
    returned = of.returnable(asked, held)
    after = msgspec.structs.replace(of, returned=of.returned + returned)
    assert 0 <= returned <= asked
    assert after.available(held) == of.available(held) - returned
    assert after.unsold - held >= min(0, of.unsold - held)


@given(st.integers(0, 500), st.integers(0, 50), st.data())
def test_stock_is_conserved_through_any_history(limit: int, extra: int, data: st.DataObject) -> None:
    """Grants from the pool, sales, cancels and returns in any order: pool plus devices is the limit, never oversold."""
    devices = [Totals(), Totals(), Totals()]
    for _ in range(data.draw(st.integers(0, 25))):
        at = data.draw(st.integers(0, 2))
        each = devices[at]
        step = data.draw(st.sampled_from(["grant", "sell", "cancel", "return", "confirm"]))
        room = {
            "grant": pool(limit, extra, devices),
            "confirm": pool(limit, extra, devices),
            "sell": each.available(0),
            "return": each.returnable(each.unsold, 0),
            "cancel": each.sold - each.cancelled,
        }[step]
        moved = data.draw(st.integers(0, room))
        field = {
            "grant": "granted",
            "sell": "sold",
            "cancel": "cancelled",
            "return": "returned",
            "confirm": "confirmed",
        }[step]
        devices[at] = msgspec.structs.replace(each, **{field: getattr(each, field) + moved})
    left = pool(limit, extra, devices)
    assert left >= 0
    assert left + sum(d.unsold + d.valid for d in devices) == limit + extra
    assert sum(d.valid for d in devices) <= limit + extra


@given(st.integers(0, money.MAX_MINOR), st.sampled_from(["EUR", "JPY", "KWD", "XXX"]))
def test_money_survives_the_wire(minor: int, currency: str) -> None:
    wire = money.from_minor(minor, currency)
    assert money.to_minor(wire.amount, wire.currency) == minor
    assert "E" not in wire.amount


@pytest.mark.parametrize(
    "amount",
    [
        "",
        "x",
        "-1",
        "-0.01",
        "+1",
        "1.234",
        "NaN",
        "Infinity",
        "1e5",
        "1e999999999",
        "1_000",
        " 1",
        "1,50",
        "١",
        "1.",
        ".5",
        "9" * 15,
        "9" * 5000,
    ],
)
def test_what_is_no_plain_amount_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r"amount of money|decimals|too large"):
        money.to_minor(amount, "EUR")


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.5", "EUR", 1250),
        ("12", "JPY", 12),
        ("0.005", "KWD", 5),
        ("5000", "XOF", 5000),
        ("5.125", "IQD", 5125),
        ("1.2345", "UYW", 12345),
    ],
)
def test_decimals_follow_the_currency(amount: str, currency: str, minor: int) -> None:
    assert money.to_minor(amount, currency) == minor


@pytest.mark.parametrize(
    "currency", ["JPY", "XOF", "XAF", "XPF", "UGX", "RWF", "PYG", "KMF", "GNF", "DJF", "BIF", "VUV"]
)
def test_a_currency_without_cents_has_no_decimals(currency: str) -> None:
    with pytest.raises(ValueError, match="decimals"):
        money.to_minor("1.0", currency)


# Where people write fewer decimals than ISO 4217 counts (CLDR, supplemental data): subunits that nobody has in the purse,
# and currencies that are gone.
WRITTEN_WITHOUT = {"AFN", "ALL", "IQD", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SLL", "SOS", "SYP", "YER"}
GONE = {"ADP", "BYR", "ESP", "ITL", "LUF", "MGF", "MRO", "STD", "TMM", "TRL", "ZMK", "ZWD"}


def test_the_decimals_of_every_currency_are_those_that_unicode_knows_or_habit_alone_has_fewer() -> None:
    known = list_currencies()
    other = {each for each in known if get_currency_precision(each) != money.exponent(each)}
    assert len(known) > 250
    assert other <= WRITTEN_WITHOUT | GONE
    assert all(get_currency_precision(each) < money.exponent(each) for each in other)


@given(st.binary(min_size=5, max_size=5))
def test_codes_can_be_typed_in_any_way(random: bytes) -> None:
    """Lower case, dashes, spaces and look-alikes lead to the same code; the code leads back to its bytes."""
    code = ids.code(random)
    sloppy = ids.shown(code).lower().replace("0", "o").replace("1", "l")
    assert ids.normal_code(f" {sloppy} ") == code
    assert ids.code_bytes(code) == random


@pytest.mark.parametrize("text", ["", "ABC", "K7QF-2M9", "K7QF-2M9DX", "UUUU-UUUU", "K7QF\u00b72M9D", "\u0661" * 8])
def test_what_is_no_code_is_none(text: str) -> None:
    assert ids.normal_code(text) is None


@pytest.mark.parametrize("code", ["", "ABC", "ILOUILOU", "K7QF2M9DX", "\u00e9" * 8])
def test_only_canonical_codes_have_bytes(code: str) -> None:
    with pytest.raises(ValueError, match=r"code|substring"):
        ids.code_bytes(code)


@given(st.lists(st.text(max_size=6), max_size=4), st.lists(st.text(max_size=6), max_size=4))
def test_different_keys_give_different_ids(a: list[str], b: list[str]) -> None:
    assert (ids.derived("q", *a) == ids.derived("q", *b)) == (a == b)


def test_ids_of_the_catalogue_never_change() -> None:
    """Receipts in people's pockets name them."""
    assert ids.event_session_id("jazz", "friday") == ids.derived("s", "jazz", "friday")
    assert ids.derived("s", "jazz", "friday") == "s_nawpbhyoavj5f27x"


@pytest.mark.parametrize("random", [b"", b"x" * 15, b"x" * 17])
def test_an_id_needs_all_its_random_bytes(random: bytes) -> None:
    with pytest.raises(ValueError, match="random bytes"):
        ids.secret(random)


@pytest.mark.parametrize("name", ["", "+", "#", "a/b", "A", "a b", "-a", "a" * 64, "\u00e9", "a\n"])
def test_names_that_could_widen_a_topic_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        topics.checked(name, "device")


def test_topics_name_one_device() -> None:
    assert topics.up("org", "venue-1", "msg") == "marquee/1/org/d/venue-1/up/msg"
    assert topics.parse_up("marquee/1/org/d/venue-1/up/msg", "org") == ("venue-1", "msg")
    for other in (
        "marquee/1/other/d/venue-1/up/msg",
        "marquee/1/org/d/venue-1/dn/msg",
        "marquee/1/org/d/a/b/up/msg",
        "",
    ):
        assert topics.parse_up(other, "org") is None


class Key:
    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes_raw()
        self.kid = key_id(self.public)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


KEY = Key()
PUBLIC = public_key(KEY.public.hex())
PRIVATE = Private("salt", "Zoë \u202e evil", "z@example.org")


def content(**fields: object) -> Content:
    plain = Content(VERSION, "org", "venue-1", "venue-1", "life-1", 1, CheckInUndone("c", None, "A7"), 5)
    return msgspec.structs.replace(plain, **fields)


@pytest.mark.parametrize("private", [None, PRIVATE])
def test_an_envelope_opens_to_its_content(private: Private | None) -> None:
    hidden = None if private is None else private_hash(private)
    envelope = decode(encode(seal_envelope(content(private_hash=hidden), KEY, private)), Envelope)
    assert open_envelope(envelope, PUBLIC) == content(private_hash=hidden)
    assert envelope.private == private


def test_erasing_the_personal_part_leaves_the_rest_verifiable() -> None:
    sealed = seal_envelope(content(private_hash=private_hash(PRIVATE)), KEY, PRIVATE)
    assert open_envelope(msgspec.structs.replace(sealed, private=None), PUBLIC).seq == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda e: msgspec.structs.replace(e, content=e.content.replace("venue-1", "venue-2")),
        lambda e: msgspec.structs.replace(e, content=e.content + " "),
        lambda e: msgspec.structs.replace(e, content="\ud800"),
        lambda e: msgspec.structs.replace(e, sig="00" * 64),
        lambda e: msgspec.structs.replace(e, sig="zz"),
        lambda e: msgspec.structs.replace(e, sig=""),
        lambda e: msgspec.structs.replace(e, private=Private("salt", "Mallory", "")),
    ],
)
def test_a_changed_envelope_has_a_bad_signature(change: object) -> None:
    sealed = seal_envelope(content(private_hash=private_hash(PRIVATE)), KEY, PRIVATE)
    with pytest.raises(BadSignature):
        open_envelope(change(sealed), PUBLIC)  # type: ignore[operator]


def test_another_version_of_the_protocol_says_what_to_update() -> None:
    with pytest.raises(ProtocolError, match="update"):
        open_envelope(seal_envelope(content(v=2), KEY), PUBLIC)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"inc":1,"upto":1}', b'{"inc":"a","upto":1,"x":1}']
)
def test_what_does_not_decode_is_a_protocol_error_naming_the_kind(data: bytes) -> None:
    from mqtt_bridge.protocol.messages import Ack

    with pytest.raises(ProtocolError, match="not a Ack"):
        decode(data, Ack)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_garbage_is_never_another_error(data: bytes | str) -> None:
    with pytest.raises(ProtocolError):
        decode(data, Envelope)


@pytest.mark.parametrize("public", ["", "zz", "00" * 31])
def test_a_public_key_is_32_bytes(public: str) -> None:
    with pytest.raises(ProtocolError, match="32 bytes"):
        verify(public, b"", b"")
