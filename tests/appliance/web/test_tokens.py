from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.web import keyring
from appliance.web.tokens import KEY_BYTES, Tokens

TOKENS = Tokens(bytes(range(KEY_BYTES)))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_for_a_purpose_opens_for_it_and_for_no_other(payload: str) -> None:
    token = TOKENS.mint("order-view", payload)
    assert TOKENS.open("order-view", token) == payload
    assert TOKENS.open("order-manage", token) is None
    assert Tokens(bytes(KEY_BYTES)).open("order-view", token) is None


def test_a_link_that_may_only_show_an_order_does_not_reveal_the_id_that_cancels_it() -> None:
    import base64

    order = "abcdefghijklmnopqrstuvwxyz"
    token = TOKENS.mint("order-view", order)
    assert order.encode() not in base64.urlsafe_b64decode(token + "==")


def test_the_same_thing_has_the_same_address_every_time() -> None:
    assert TOKENS.mint("hold", "x") == TOKENS.mint("hold", "x")


@given(st.text())
def test_no_text_that_we_did_not_make_opens_or_raises(text: str) -> None:
    assert TOKENS.open("hold", text) is None


@pytest.mark.parametrize("position", [0, 10, 30])
def test_a_changed_letter_makes_a_token_worthless(position: int) -> None:
    token = TOKENS.mint("hold", "abcdefghijklmnopqrstuvwxyz")
    letter = "A" if token[position] != "A" else "B"
    assert TOKENS.open("hold", token[:position] + letter + token[position + 1 :]) is None


def test_names_tell_facts_apart_however_they_are_split() -> None:
    assert TOKENS.name("ab", "c") != TOKENS.name("a", "bc")
    assert TOKENS.name("a") == TOKENS.name("a")
    assert len(TOKENS.name("a")) == 26


def test_the_key_file_is_private_and_workers_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    path = tmp_path / "data" / "web.key"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: Tokens.from_file(path).mint("hold", "x"), range(16)))
    assert len(set(made)) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["web.key"]


def test_a_damaged_key_file_is_named_instead_of_used(tmp_path: Path) -> None:
    path = tmp_path / "web.key"
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match=r"web\.key"):
        Tokens.from_file(path)


def rotated(path: Path, *, until_ms: int | None, now_ms: int = 0) -> None:
    keyring.rotate(path, now_ms=now_ms, until_ms=until_ms)


def test_after_a_rotation_old_links_open_until_their_overlap_ends_and_new_ones_are_other_links(tmp_path: Path) -> None:
    path, clock = tmp_path / "web.key", [100]
    tokens = Tokens.from_file(path, lambda until_ms: clock[0] > until_ms)
    old = tokens.mint("hold", "x")
    rotated(path, until_ms=200)
    assert tokens.open("hold", old) == "x"
    assert tokens.mint("hold", "x") != old
    assert tokens.open("order-manage", old) is None
    clock[0] = 201
    assert tokens.open("hold", old) is None
    assert tokens.open("hold", tokens.mint("hold", "x")) == "x"


def test_phones_stay_who_they_are_over_a_rotation_but_not_when_the_key_leaked(tmp_path: Path) -> None:
    path = tmp_path / "web.key"
    tokens = Tokens.from_file(path)
    name, link = tokens.name("phone", "aa:bb"), tokens.mint("client", "x")
    rotated(path, until_ms=200)
    assert tokens.name("phone", "aa:bb") == name
    rotated(path, until_ms=None)
    assert tokens.name("phone", "aa:bb") != name
    assert tokens.open("client", link) is None


def test_rotating_again_keeps_those_whose_overlap_goes_on_and_at_most_four(tmp_path: Path) -> None:
    path = tmp_path / "web.key"
    tokens, links = Tokens.from_file(path), []
    for turn in range(7):
        links.append(tokens.mint("hold", "x"))
        rotated(path, until_ms=1000 + turn, now_ms=turn)
    assert [tokens.open("hold", each) == "x" for each in links] == [False] * 3 + [True] * 4
    rotated(path, until_ms=9999, now_ms=1006)
    assert len(keyring.load(path).older) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["web.key"]


def test_a_key_file_that_is_lost_or_cut_while_pages_are_served_changes_nothing_until_the_next_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "web.key"
    tokens = Tokens.from_file(path)
    link = tokens.mint("hold", "x")
    path.write_bytes(b"cut")
    assert tokens.open("hold", link) == "x"
    path.unlink()
    assert tokens.open("hold", link) == "x"
