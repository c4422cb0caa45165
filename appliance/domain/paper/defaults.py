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
center bold huge {code}
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
center bold huge {code}
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
columns Door list | as of {at}
center Part {part}
columns {tickets} tickets | {inside} inside
rule
each rows
columns bold {box} {name} | {code}
left    {ticket_type} {note}
end
rule
center Tick who came in, and scan the codes later.
"""

_SHIFT_REPORT = """\
title Shift report
center {venue}
columns bold Shift {number} | {staff}
columns Opened | {opened}
columns Closed | {closed}
left Closed by {closed_by}
rule
each lines
columns {count} x {name} | {amount}
end
left Drawer opened without a sale: {no_sales}
rule
columns Float at the start | {float}
columns Cash expected | {expected}
columns bold Cash counted | {counted}
columns bold Difference | {difference}
left {note}
each corrections
rule
columns bold Correction {at} {by} | {amount}
left {note}
end
feed 3
rule
center Signature
"""

_NO_SALE = """\
title {venue}
center bold Drawer opened without a sale
columns {at} | {staff}
left {note}
"""

_STAFF_BADGE = """\
logo
center {venue}
center bold huge {name}
center bold large STAFF
feed
qr {text}
center {badge}
"""

DEFAULTS: Mapping[str, str] = MappingProxyType(
    {
        "stub": _STUB,
        "receipt": _RECEIPT,
        "badge": _BADGE,
        "door_list": _DOOR_LIST,
        "shift_report": _SHIFT_REPORT,
        "no_sale": _NO_SALE,
        "staff_badge": _STAFF_BADGE,
    }
)
