from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import pytest

from mqtt_bridge.broker import BrokerMissing, EmbeddedBroker
from tests.support.ports import free_port


def test_the_embedded_broker_can_be_stopped_and_started() -> None:
    """It is a child process with a pid, and frees its port."""
    with EmbeddedBroker(free_port()) as broker:
        first = broker.pid
        assert first is not None
        with pytest.raises(OSError, match="in use"):
            EmbeddedBroker(broker.port).start()
        broker.start()
        assert broker.pid not in {None, first}
    assert broker.pid is None


def test_where_it_cannot_be_installed_the_error_says_what_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., Any] = builtins.__import__

    def without(name: str, *rest: Any, **options: Any) -> Any:
        if name == "iotcore":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BrokerMissing, match="--broker"):
        EmbeddedBroker(1883)
