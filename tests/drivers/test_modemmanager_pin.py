"""The SIM card's PIN over ModemManager: no start of the desk takes the last try, and what was not answered is not called refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers import DeviceError, modem_for
from tests.drivers.modem_rigs import MockManager, mock_manager

pytestmark = pytest.mark.system
Opens = Callable[[str], str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockManager]:
    with mock_manager(tmp_path_factory.mktemp("bus")) as found:
        yield found


@pytest.fixture
def manager(running: MockManager) -> MockManager:
    """One whose card has all its tries."""
    running.call("SetTriesLeft", "u", 3)
    return running


@pytest.fixture
def opens(manager: MockManager, tmp_path: Path) -> Opens:
    """Start with a PIN in the file and say what is wrong, '' for nothing."""
    file = tmp_path / "pin"
    file.touch(0o600)

    def start(pin: str) -> str:
        file.write_text(pin)
        modem = modem_for(f"modemmanager://?bus={manager.address}&timeout=2&pin_file={file}", tmp_path / "tries.json")
        try:
            modem.open()
        except DeviceError as error:
            return error.reason
        finally:
            modem.close()
        return ""

    return start


def left(manager: MockManager) -> object:
    return manager.call("TriesLeft")[0]


@pytest.mark.parametrize("fault", ["pin", "pin_uncounted"])
def test_a_wrong_pin_is_tried_once_however_often_the_desk_starts(
    manager: MockManager, opens: Opens, fault: str
) -> None:
    manager.fault(fault)
    for _ in range(4):
        assert "refused the PIN" in opens("4712")
    assert left(manager) == 2
    assert opens("1234") == "", "the file was corrected"
    assert left(manager) == 3


@pytest.mark.parametrize("fault", ["pin", "pin_uncounted"])
def test_no_number_of_starts_and_corrections_takes_the_last_try(manager: MockManager, opens: Opens, fault: str) -> None:
    manager.fault(fault)
    for pin in ("1111", "2222", "3333", "4444", "1234"):
        assert opens(pin)
    assert left(manager) == 1
    assert "telephone" in opens("1234")
    manager.call("SetTriesLeft", "u", 3)
    manager.fault("pin")
    assert opens("1234") == "", "ModemManager says that the card has them all again"


@pytest.mark.parametrize(("fault", "words"), [("pin_busy", "ModemManager says"), ("pin_unsure", "did not say whether")])
def test_a_pin_that_was_not_looked_at_is_not_called_refused(
    manager: MockManager, opens: Opens, fault: str, words: str
) -> None:
    manager.fault(fault)
    for _ in range(2):
        assert words in opens("1234")
    manager.fault("pin")
    assert opens("1234") == ""
