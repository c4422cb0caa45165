"""What modems and networks answer instead of taking a message: `+CMS ERROR` and `+CME ERROR` (3GPP TS 27.005 and 27.007).

Three kinds matter: certainly not sent and worth another try, certainly not sent and never will be, and perhaps sent.
"""

from __future__ import annotations

from drivers.errors import DeviceError
from drivers.modem.api import NotSent, PerhapsSent

_LASTING = {
    1: "The number does not exist",
    8: "The operator does not let this SIM card send messages",
    10: "The network does not let this SIM card call",
    28: "The network does not know this subscriber",
    50: "The SIM card is not booked for messages",
    69: "The network does not offer messages to this SIM card",
    302: "The modem does not allow messages",
    303: "The modem cannot send messages",
    304: "The modem cannot read the message",
    305: "The modem cannot read the message",
}
_PASSING = {
    21: "The network refused the message",
    22: "The network has no memory left for the message",
    27: "The telephone of this number is out of order",
    29: "The network refused the service",
    30: "The network does not know this SIM card",
    38: "The network is out of order",
    42: "The network is too busy",
    47: "The network has no room for the message",
    300: "The modem failed",
    301: "The modem's message service is taken by another program",
    310: "There is no SIM card in the modem",
    311: "The SIM card wants its PIN",
    312: "The SIM card wants another PIN",
    313: "The SIM card failed",
    314: "The SIM card is busy",
    315: "The SIM card is of the wrong kind",
    316: "The SIM card wants its PUK",
    320: "The modem's memory failed",
    322: "The modem's memory is full",
    330: "The SIM card does not know its message centre",
    331: "No network has the modem",
}
_UNSURE = {
    41: "The network failed for a moment",
    95: "The network could not read the message",
    111: "The network answered with an unknown error",
    127: "The network answered with an unknown error",
    332: "The network did not answer in time",
    350: "The network answered with an unknown error after a while",
    500: "The modem answered with an unknown error",
}
_EQUIPMENT = {
    3: "The modem does not allow messages now",
    4: "The modem cannot send messages",
    10: "There is no SIM card in the modem",
    11: "The SIM card wants its PIN",
    12: "The SIM card wants its PUK",
    13: "The SIM card failed",
    14: "The SIM card is busy",
    15: "The SIM card is of the wrong kind",
    20: "The modem's memory is full",
    30: "No network has the modem",
    32: "The network allows emergency calls only",
}


def message_error(code: int) -> DeviceError:
    """What `+CMS ERROR: code` means; a code that nobody defined leaves open whether the message was sent."""
    if code in _LASTING:
        return NotSent(f"{_LASTING[code]} (CMS {code}).", lasting=True)
    if code in _PASSING:
        return NotSent(f"{_PASSING[code]} (CMS {code}).")
    return PerhapsSent(f"{_UNSURE.get(code, 'The modem answered with an unknown error')} (CMS {code}).")


def equipment_error(code: int) -> DeviceError:
    """What `+CME ERROR: code` means where a message was to be sent."""
    if code in _EQUIPMENT:
        return NotSent(f"{_EQUIPMENT[code]} (CME {code}).")
    return PerhapsSent(f"The modem answered with an unknown error (CME {code}).")
