"""One turn of a simulated printer at the end of any cable: take bytes, think, answer."""

from __future__ import annotations

from collections.abc import Callable

from drivers.printer.simulator import SLOW_BYTES_PER_S, Fault, SimulatedPrinter

SLOW_CHUNK = 64


def exchange(
    printer: SimulatedPrinter,
    read: Callable[[int], bytes],
    write: Callable[[bytes], object],
    pause: Callable[[float], object],
    most: int = 4096,
) -> bool:
    """Read what `printer` takes now, at most `most` bytes, and write what it says; False when nothing came.

    `pause` waits so many seconds, for slow and late printers. A cable calls this when there is something to read, and
    not at all while `printer.fault` is `Fault.STALL`; it hangs up whenever `printer.hang_ups` grows.
    """
    slow = printer.fault is Fault.SLOW
    data = read(printer.room(min(most, SLOW_CHUNK) if slow else most))
    if slow:
        pause(len(data) / SLOW_BYTES_PER_S)
    answers = printer.receive(data)
    if answers:
        pause(printer.answer_delay_s)
        write(answers)
    return bool(data)
