"""What a guest may wait for on the page of an event: pure choices over views."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.services.views import SessionView
from mqtt_bridge.protocol.catalogue import Limits, TicketType

# A request is a place in a line of its own, so its page offers no second one.
JOINABLE = ("sold_out_here", "sold_out")


@dataclass(frozen=True)
class Choice:
    """A ticket type and the most one phone may wait for: never more than there are."""

    type: TicketType
    most: int


@dataclass(frozen=True)
class Wait:
    """The line of one quota: what to choose from."""

    choices: tuple[Choice, ...]


def waits(session: SessionView | None, limits: Limits) -> tuple[Wait, ...]:
    """Return the lines a guest may join at a session."""
    if session is None:
        return ()
    there_are = {each.id: each.limit + each.extra for each in session.at.quotas}
    per_quota: dict[str, list[Choice]] = {}
    for each in session.types:
        if each.state in JOINABLE:
            per_client = limits.unpaid_per_client if each.type.price_minor else limits.free_per_client
            most = min(limits.per_hold, per_client, there_are[each.type.quota])
            if most > 0:
                per_quota.setdefault(each.type.quota, []).append(Choice(each.type, most))
    return tuple(Wait(tuple(choices)) for choices in per_quota.values())
