"""What can be done about tickets that cannot all be right: ranked suggestions, each with its effect and price in figures.

Pure: the cloud gathers the facts of a contradiction into a ``Case`` and carries out the ``Suggestion`` that a person, or a
rule set by one, chose. A price that grew since it was shown is shown again before anything happens.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from mqtt_bridge.protocol.money import from_minor

Kind = Literal[
    "oversold",
    "order-twice",
    "ticket-twice",
    "admitted-twice",
    "cancelled-and-admitted",
    "session-cancelled",
    "session-moved",
    "paid-twice",
    "paid-back-twice",
    "fork",
]
Remedy = Literal["rebook", "overbook", "refund", "waitlist"]
KINDS: tuple[Kind, ...] = get_args(Kind)

TITLES: dict[str, str] = {
    "oversold": "More tickets than places",
    "order-twice": "One order sold by two devices",
    "ticket-twice": "One ticket in two orders",
    "admitted-twice": "One ticket admitted twice",
    "cancelled-and-admitted": "Cancelled, yet admitted",
    "session-cancelled": "Tickets of a cancelled date",
    "session-moved": "Tickets of a moved date",
    "paid-twice": "More taken than the price",
    "paid-back-twice": "More paid back than was owed",
    "fork": "A copied card told two histories",
}


class Draw(msgspec.Struct, frozen=True):
    """``number`` tickets out of a quota; ``free`` are in its pool, ``elsewhere`` unsold at devices that may return them."""

    quota: str
    name: str
    number: int
    free: int
    elsewhere: int = 0

    @property
    def missing(self) -> int:
        """Tickets the pool lacks."""
        return max(0, self.number - self.free)


class Alternative(msgspec.Struct, frozen=True):
    """Another session of the same event with ticket types of the same names; ``place`` and ``when`` are words for people."""

    event_session: str
    place: str
    when: str
    starts_at_ms: int
    draws: tuple[Draw, ...]


class Case(msgspec.Struct, frozen=True):
    """The facts of one contradiction, in tickets.

    ``open``: valid, nobody came in on them; ``admitted``: somebody did. ``short``: how many of both no stock stands behind.
    ``pool``: free in the pool of their own quota. ``refund_minor``: what was paid for the open ones and would be paid back;
    where too much was taken, the surplus.
    ``elapsed``: their session is over.
    """

    kind: Kind
    open: int = 0
    admitted: int = 0
    short: int = 0
    pool: int = 0
    waiting: int = 0
    refund_minor: int = 0
    currency: str = ""
    cancelled: bool = False
    elapsed: bool = False
    alternatives: tuple[Alternative, ...] = ()


class Suggestion(msgspec.Struct, frozen=True):
    """One remedy: what it does (``effect``) and costs (``price``) in words, and the same as figures.

    ``oversell``: by how many tickets the limit is exceeded; ``amount_minor``: money to pay back. ``target``: session to rebook
    to, at ``place``. ``missing``: tickets that have to come back from devices before it can be done, 0 when it can be done now.
    """

    remedy: Remedy
    effect: str
    price: str
    target: str = ""
    oversell: int = 0
    amount_minor: int = 0
    currency: str = ""
    missing: int = 0
    place: str = ""


def suggestions(case: Case) -> tuple[Suggestion, ...]:
    """Return what can be done, best first: without loss for anybody, then at the price of places, then of money or time."""
    if case.kind == "paid-twice":
        return (_pay_surplus(case),) if case.refund_minor else ()
    found: list[Suggestion] = []
    if case.short and not case.cancelled:
        found.append(_overbook(case))
    if case.open:
        nearest = sorted(case.alternatives, key=lambda each: (each.starts_at_ms, each.event_session))
        found += [_rebook(case, each) for each in nearest]
        found.append(_refund(case))
        if case.kind == "oversold" and not case.cancelled and not case.elapsed:
            found.append(_waitlist(case))
    return tuple(sorted(found, key=lambda each: _cost(case, each)))


def by_rule(case: Case, remedy: str) -> Suggestion | None:
    """Return what an automatic choice of ``remedy`` does here: the best of its kind that can be done now."""
    able = (each for each in suggestions(case) if each.remedy == remedy and not each.missing)
    return next(able, None)


def may_be_automatic(kind: str) -> tuple[Remedy, ...]:
    """Return the remedies an operator may choose for every contradiction of a kind."""
    automatic: dict[str, tuple[Remedy, ...]] = {
        "oversold": ("rebook", "overbook", "refund", "waitlist"),
        "cancelled-and-admitted": ("overbook",),
        "session-cancelled": ("rebook", "refund"),
        "session-moved": ("rebook", "refund"),
        "paid-twice": ("refund",),
    }
    return automatic.get(kind, ())


def _cost(case: Case, each: Suggestion) -> int:
    if each.missing:
        return 6
    if each.remedy == "overbook":
        # Whoever is inside has a place already: counting it changes nothing for anybody.
        return 0 if not each.oversell or case.admitted else 2
    return {"rebook": 1, "refund": 3, "waitlist": 4}[each.remedy]


def _rebook(case: Case, to: Alternative) -> Suggestion:
    draws = " and ".join(f"{each.number} from {each.name!r}, whose pool has {each.free}" for each in to.draws)
    missing = sum(each.missing for each in to.draws)
    price = "no place is oversold, nothing is paid back"
    if missing:
        elsewhere = sum(min(each.missing, each.elsewhere) for each in to.draws)
        price = f"{missing} missing in the pool; {elsewhere} could be called back from devices"
    effect = f"Rebook {tickets(case.open)} to {to.place}, {to.when}: takes {draws}. The price stays what was paid."
    return Suggestion("rebook", effect, price, target=to.event_session, missing=missing, place=f"{to.place}, {to.when}")


def _overbook(case: Case) -> Suggestion:
    from_pool = max(0, min(case.short, case.pool))
    oversell = case.short - from_pool
    source = f"{from_pool} from the pool, which has {max(0, case.pool)}" if from_pool else "the pool has none"
    price = f"raises the oversell by {oversell}" if oversell else "no place is oversold"
    return Suggestion("overbook", f"Let {tickets(case.short)} count: {source}.", price, oversell=oversell)


def _refund(case: Case) -> Suggestion:
    amount = case.refund_minor
    if not amount:
        return Suggestion(
            "refund", f"Cancel {tickets(case.open)}: nothing was paid for them.", "nothing is paid back", currency=""
        )
    money = from_minor(amount, case.currency)
    price = f"{money.amount} {money.currency} to pay back"
    effect = f"Cancel {tickets(case.open)}; the money is paid back at any desk."
    return Suggestion("refund", effect, price, amount_minor=amount, currency=case.currency)


def _pay_surplus(case: Case) -> Suggestion:
    money = from_minor(case.refund_minor, case.currency)
    price = f"{money.amount} {money.currency} to pay back"
    effect = "Tell every desk concerned to pay the surplus back; the tickets stay good."
    return Suggestion("refund", effect, price, amount_minor=case.refund_minor, currency=case.currency)


def _waitlist(case: Case) -> Suggestion:
    effect = f"Cancel {tickets(case.open)} and put the holder first on the waitlist; {case.waiting} wait behind."
    price = "no promise of a place"
    if case.refund_minor:
        money = from_minor(case.refund_minor, case.currency)
        price += f"; {money.amount} {money.currency} to pay back"
    return Suggestion("waitlist", effect, price, amount_minor=case.refund_minor, currency=case.currency)


def tickets(number: int) -> str:
    """Say how many tickets."""
    return f"{number} ticket" if number == 1 else f"{number} tickets"
