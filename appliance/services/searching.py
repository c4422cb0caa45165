"""Looking somebody up at the door, by name or by part of a code."""

from __future__ import annotations

from appliance.domain.errors import Invalid
from appliance.domain.searching import Query, query_of, rank
from appliance.services import show
from appliance.services.box import Unit
from appliance.services.staff_views import SearchView
from appliance.services.views import OrderView
from appliance.store import guests, searching

SHOWN = 20
LONGEST = 100
# Found by part of a code: behind every name that fits.
_BY_CODE = 100


def search(unit: Unit, text: str) -> SearchView:
    """Return the orders that ``text`` may mean, those for this venue first; ``Invalid`` for what no name or code can be.

    Names are known only where they were given and, once its message came, at the door of the session; never after a
    takeover. What was erased is not found.
    """
    query = query_of(text[:LONGEST])
    if not query.words:
        msg = "Type a name, or at least three letters of a code."
        raise Invalid(msg, field="q")
    found = _ranked(unit, query)
    # Twice as many are read as are shown, so that those for this venue can come first.
    orders = [show.order_view(unit, order) for order in sorted(found, key=lambda each: found[each])[: SHOWN * 2]]
    orders.sort(key=lambda each: (_elsewhere(unit, each), found[each.id]))
    shown = tuple(orders[:SHOWN])
    notes = guests.notes(unit.db, (each.id for each in shown))
    return SearchView(shown, len(found) > SHOWN, unit.identity.venue, unit.device.door, notes)


def _ranked(unit: Unit, query: Query) -> dict[str, int]:
    found = dict.fromkeys(searching.by_part_of_code(unit.db, query.code, SHOWN), _BY_CODE) if query.code else {}
    for order, name in searching.names(unit.db):
        fit = rank(query, name)
        if fit is not None:
            found[order] = fit
    return found


def _elsewhere(unit: Unit, order: OrderView) -> bool:
    return all(each.at.venue != unit.identity.venue for each in order.standing)
