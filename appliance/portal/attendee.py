"""Pages for guests: HTML only, no cookies, no JavaScript; every write is POST, then 303, then GET.

The address of a page carries the right to it: ``/holds/<token>`` and ``/tickets/<token>`` are sealed for one purpose each.
"""

from __future__ import annotations

from flask import Blueprint

from appliance.portal import browse_pages, change_pages, handover_pages, hold_pages, my_pages, order_pages, verify_pages

blueprint = Blueprint("attendee", __name__, template_folder="templates")
browse_pages.register(blueprint)
hold_pages.register(blueprint)
order_pages.register(blueprint)
change_pages.register(blueprint)
handover_pages.register(blueprint)
my_pages.register(blueprint)
verify_pages.register(blueprint)
