"""A model of the board: boot ROM, card and power around an arm64 machine under QEMU, for an image that is booted unmodified.

What is modelled: autoboot.txt with its `[tryboot]` part and the one-shot flag; config.txt as far as it names kernel, initial RAM
disk and command line; `kernel_watchdog_timeout`; the two values that the firmware leaves in the device tree; a hardware watchdog
(Intel's instead of Broadcom's); a board without a clock; a power cut that takes what the card had not flushed.
What is not: the firmware's own code and its dates, the SoC and its peripherals, real time (an emulated board is several times slower).
"""

from tests.system.board.agent import Done, Unanswered
from tests.system.board.board import Board, Boot

__all__ = ["Board", "Boot", "Done", "Unanswered"]
