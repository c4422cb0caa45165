"""A link that is cut hangs up on everyone, refuses, keeps its port, and can be healed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from appliance.demo.link import Link


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends back what it gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        yield server.getsockname()
        server.shutdown(socket.SHUT_RDWR)


def _serve(server: socket.socket) -> None:
    while True:
        try:
            peer, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(peer,), daemon=True).start()


def _answer(peer: socket.socket) -> None:
    with peer:
        while data := peer.recv(4096):
            peer.sendall(data)


@pytest.fixture
def link(echo: tuple[str, int]) -> Iterator[Link]:
    made = Link(echo)
    yield made
    made.close()


def connect(link: Link) -> socket.socket:
    return socket.create_connection(("127.0.0.1", link.port), timeout=5)


def test_bytes_pass_both_ways_while_the_link_is_up(link: Link) -> None:
    """More than one buffer full, unchanged."""
    sent = bytes(range(256)) * 2000
    with connect(link) as wire:
        threading.Thread(target=wire.sendall, args=(sent,), daemon=True).start()
        got = b""
        while len(got) < len(sent):
            got += wire.recv(65536)
    assert got == sent


def test_cut_hangs_up_and_refuses_and_heal_lets_pass_again_on_the_same_port(link: Link) -> None:
    """Cutting and healing twice is harmless."""
    port = link.port
    for _ in range(3):
        with connect(link) as wire:
            wire.sendall(b"hello")
            assert wire.recv(100) == b"hello"
            link.cut()
            link.cut()
            assert not link.up
            assert hung_up(wire)
        with pytest.raises(ConnectionRefusedError):
            connect(link)
        link.heal()
        link.heal()
        assert (link.up, link.port) == (True, port)


def hung_up(wire: socket.socket) -> bool:
    try:
        return wire.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_dead_far_end_looks_like_a_dead_broker() -> None:
    """The near side is hung up on, not left waiting."""
    link = Link(("127.0.0.1", 9))
    with connect(link) as wire:
        assert hung_up(wire)
    link.close()
