"""What people read where a limit says no: which one it was, and what helps. One table, every limit of the house in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from appliance.web.texts import _, plural

Words = dict[str, tuple[str, str]]


def title(facts: dict[str, Any]) -> str:
    """Return the heading of a refusal by limit."""
    if "retry_after_s" in facts:
        return _("Please wait a little")
    return table(_most(facts)).get(_limit(facts), (_("That did not work"), ""))[0]


def words(facts: dict[str, Any], detail: str) -> str:
    """Return why, and how long to wait where waiting helps; ``detail``, the refusal's own words, for a limit of elsewhere."""
    found = table(_most(facts)).get(_limit(facts), ("", detail))[1]
    wait_s = facts.get("retry_after_s")
    if not isinstance(wait_s, int):
        return found
    minutes = max(1, -(-wait_s // 60))
    return f"{found} " + plural("Try again in %(num)s minute.", "Try again in %(num)s minutes.", minutes)


def table(most: int) -> Words:
    """Return {limit: (title, words)}; ``most`` is the number of those that have one."""
    return _of_one_phone(most) | _of_waitlists() | dict(_of_windows()) | _of_staff()


def _limit(facts: dict[str, Any]) -> str:
    return str(facts.get("limit", ""))


def _most(facts: dict[str, Any]) -> int:
    return int(facts.get("most", 0))


def _of_one_phone(most: int) -> Words:
    reasons = {
        "per_hold": plural(
            "At most %(num)s ticket in one booking. For a larger party, ask at the desk.",
            "At most %(num)s tickets in one booking. For a larger party, ask at the desk.",
            most,
        ),
        "holds_per_client": _("You already hold tickets. Finish that booking or give it back first."),
        "share_per_client": plural(
            "Few tickets are left, and others want some too: one phone can hold %(num)s of them now.",
            "Few tickets are left, and others want some too: one phone can hold up to %(num)s of them now.",
            most,
        ),
        "unpaid_per_client": plural(
            "One phone may have %(num)s unpaid ticket at a time. Pay for it at the desk first.",
            "One phone may have %(num)s unpaid tickets at a time. Pay for some at the desk first.",
            most,
        ),
        "free_per_client": plural(
            "One phone may have %(num)s free ticket. Ask at the desk if you need more.",
            "One phone may have %(num)s free tickets. Ask at the desk if you need more.",
            most,
        ),
    }
    return {limit: (_("That is more than one phone may have"), why) for limit, why in reasons.items()}


def _of_waitlists() -> Words:
    return {
        "waitlist_per_quota": (_("The waitlist is full"), _("Look again later, or ask at the desk.")),
        "waitlist_per_address": (
            _("No more places from your network"),
            _("Very many on this waitlist come from your network. Ask at the desk."),
        ),
        "waitlist_per_client": (
            _("You are on this waitlist already"),
            _("Leave it first if you want something else."),
        ),
    }


def _of_windows() -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the limits of how often: all of them say how long to wait."""
    reasons = {
        "unconfirmed_holds": _(
            "You held tickets several times without booking them. Ask at the desk if you cannot wait."
        ),
        "waitlist_joins": _("You joined waitlists very often."),
        "changes": _("You changed bookings several times."),
        "short_codes": _("Too many short codes are in use right now."),
        "new_clients_per_minute": _("Many phones came from your network just now."),
        "keys_per_thing": _("This was asked very often."),
        "code-typed": _("Too many codes were typed for this booking."),
        "code-wanted": _("Too many codes were asked for."),
        "link-followed": _("Many links were followed from your network just now."),
        "photos": _("Other photos are being taken."),
    }
    wrong = _("That were many wrong tries. Ask at the desk if you cannot wait.")
    texts = _("No text message can be sent now. Write your code down.")
    signing_in = _("Too many attempts to sign in.")
    reasons |= dict.fromkeys(("proof", "mine_code", "mine_phone", "mine_all", "code_phone", "code_all"), wrong)
    reasons |= dict.fromkeys(("sms", "sms-number", "sms-client"), texts)
    reasons |= dict.fromkeys(("pin_badge", "pin_address", "passkey_asked", "passkey_address"), signing_in)
    for limit, why in reasons.items():
        yield limit, (_("Please wait a little"), why)


def _of_staff() -> Words:
    return {
        "photos_kept": (_("No room for more photos"), _("Delete some, then try again.")),
        "training": (
            _("That did not work"),
            _("Too many people are in training already. Ask one of them to end it."),
        ),
    }
