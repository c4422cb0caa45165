"""What is printed where the organiser changed nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_STUB = """\
logo
title {event}
center {venue}
center bold {starts}
rule
columns bold {ticket_type} | {price}
columns Admitted | {admitted}  {lane}
feed
qr {receipt}
center bold large {code}
"""

_RECEIPT = """\
logo
title {venue}
center Order {order}
center {at}
rule
each tickets
columns {ticket_type} | {price}
end
rule
columns bold Total | {total}
left {method}
left To pay: {due}
each tickets
rule
center bold {event}
center {starts}
center {venue} - {ticket_type}
feed
qr {receipt}
center bold large {code}
end
"""

_BADGE = """\
logo
center {event}
photo
center bold huge {name}
center bold large {ticket_type}
center {starts}
feed
qr {receipt}
center bold {code}
"""

_DOOR_LIST = """\
title {event}
center {venue}
center bold {starts}
columns Door list {part} | as of {at}
columns {tickets} tickets | {inside} inside
rule
each rows
columns bold {box} {name} | {code}
left    {ticket_type} {note}
end
rule
center Tick who came in, and scan the codes later.
"""

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {"stub": _STUB, "receipt": _RECEIPT, "badge": _BADGE, "door_list": _DOOR_LIST}
)
