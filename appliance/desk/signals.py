"""What a lane's lamp says to a scan, and for how long. Colours and sounds are the driver's."""

from __future__ import annotations

from appliance.services.staff_views import CheckInView
from drivers.lamp.api import Signal

ADMIT_S = 2.0
REFUSE_S = 3.0
ATTENTION_S = 6.0
# Here somebody at the door has something to do: take money, look an order up. Who is refused otherwise may not come in.
_SOMETHING_TO_DO = frozenset({"unpaid", "unknown_issuer", "pending"})


def signal_for(view: CheckInView | None) -> tuple[Signal, float]:
    """Return the signal and its seconds; None is a scan that could not be recorded: nobody comes in on it."""
    if view is None:
        return Signal.ATTENTION, ATTENTION_S
    if view.verdict in {"admitted", "left"}:
        return Signal.ADMIT, ADMIT_S
    if view.reason in _SOMETHING_TO_DO:
        return Signal.ATTENTION, ATTENTION_S
    return Signal.REFUSE, REFUSE_S
