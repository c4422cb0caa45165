"""The device on the air, and twenty-one phones that have not joined yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.system.radio.inside.device import Device, on_air
from tests.system.radio.inside.upstream import Upstream, upstream
from tests.system.radio.root import PHONES
from tests.system.radio.scenario import RadioPhone, phones, radios

_figures: list[str] = []


@pytest.fixture(scope="session")
def device() -> Iterator[Device]:
    """The device as it boots before anybody set it up."""
    made = Device()
    made.prepare()
    on_air()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def guests(device: Device) -> Iterator[list[RadioPhone]]:
    """The phones; radio 0 is the access point's, 1 the second Wi-Fi's, 2 somebody else's."""
    with phones(radios()[3:]) as made:
        assert len(made) == PHONES
        yield made


@pytest.fixture(scope="session")
def outside(device: Device) -> Iterator[Upstream]:
    """Somebody else's Wi-Fi."""
    with upstream(radios()[2]) as made:
        yield made


@pytest.fixture
def figure() -> Callable[[str], None]:
    """Takes a line to show at the end of the run."""
    return _figures.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what was measured; the processor is emulated, so a board is faster."""
    terminalreporter.section("figures (of the emulated processor)")
    for line in _figures:
        terminalreporter.line(f"figure: {line}")
