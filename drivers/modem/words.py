"""What a modem's state means to a person."""

from __future__ import annotations

from drivers.health import HealthRecord, State
from drivers.modem.api import ModemStatus, Sim

_SIM = {
    Sim.PIN: (State.FAULT, "The SIM card wants its PIN. Write it into the modem's pin_file."),
    Sim.PUK: (State.FAULT, "The SIM card is locked and wants its PUK. Unlock it in a telephone."),
    Sim.MISSING: (State.FAULT, "There is no SIM card in the modem. Put one in."),
    Sim.UNKNOWN: (State.DEGRADED, "The modem does not say how its SIM card is."),
}
_RECEPTIONS = ((50, "good"), (20, "fair"), (0, "weak"))


def judge(health: HealthRecord, status: ModemStatus) -> None:
    """Set `health` to what `status` means: never READY while the modem has not said that it can send."""
    signal = _reception(status.signal_percent)
    if status.sim is not Sim.READY:
        state, reason = _SIM[status.sim]
    elif status.registered is None:
        state, reason = State.DEGRADED, "The modem does not say whether a network has it."
    elif not status.registered:
        state, reason = State.DEGRADED, f"No network has the modem{signal}. Move its antenna, or wait."
    else:
        state, reason = State.READY, f"Registered in the network{signal}."
    health.set(state, reason, signal="" if status.signal_percent is None else str(status.signal_percent))


def _reception(percent: int | None) -> str:
    """Reception in three words: a figure would change, and be written down, every few seconds."""
    if percent is None:
        return ""
    return next(f", {word} reception" for least, word in _RECEPTIONS if percent >= least)
