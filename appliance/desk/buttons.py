"""The buttons at a lane's lamp: the last stub once more, or the last scan taken back. Both are audited as the lane's."""

from __future__ import annotations

import structlog

from appliance.desk.scanning import Lane
from appliance.desk.signals import ADMIT_S, ATTENTION_S
from appliance.domain.errors import Refusal
from appliance.services import door, printing
from appliance.services.box import Box, Unit
from drivers.lamp.api import Button, Signal

log = structlog.get_logger()


class Buttons:
    """Does what the buttons of one lane ask for; the lamp says whether it was done."""

    def __init__(self, box: Box, lane: Lane) -> None:
        self._box = box
        self._lane = lane

    def pressed(self, button: Button) -> None:
        """Do it; a refusal is told by the lamp and logged."""
        view = self._lane.latest
        try:
            done = view is not None and self._box.run(lambda unit: self._do(unit, button, view.id))
        except Refusal as refusal:
            log.warning("button_refused", button=button.value, lane=self._lane.name, problem=refusal.problem)
            done = False
        self._lane.lamp.show(*((Signal.OFF, ADMIT_S) if done else (Signal.ATTENTION, ATTENTION_S)))

    def _do(self, unit: Unit, button: Button, check_in: str) -> bool:
        if button is Button.UNDO:
            door.undo(unit, check_in, self._lane.name)
            return True
        return printing.reprint_stub(unit, check_in, self._lane.name) is not None
