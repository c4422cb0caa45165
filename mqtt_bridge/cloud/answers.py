"""Who of those that asked past their device's allocation gets tickets next: a pure decision from figures.

The queue is in the order in which requests arrived here, an operator's word before all. An order is met as a whole or not at
all, and nobody is overtaken for the same quota: who waits keeps the stock of those before them out of the reach of those
behind. What cannot be met now waits while enough may still come back, those ahead counted; then the answer is no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mqtt_bridge.protocol.messages import Refusal

Wish = Literal["", "confirm", "refuse", "withdraw"]


@dataclass(frozen=True)
class Ask:
    """An open request: tickets by quota and its ``place`` in the queue.

    ``wish`` is what an operator (confirm, refuse) or the guest (withdraw) wants. ``over`` is why it can never be met any more,
    or empty. ``last_call``: the sale is closed, so it is met now or not. ``answerable``: its device and all its quotas can take
    an answer now; until then it waits.
    """

    order: str
    place: int
    needs: Mapping[str, int]
    wish: Wish = ""
    over: Refusal | None = None
    last_call: bool = False
    answerable: bool = True


@dataclass(frozen=True)
class Stock:
    """A quota in tickets: what the pool holds, and what may still come back to it from devices."""

    pool: int
    coming: int


@dataclass
class Answers:
    """The decision: order ids in the order of the queue, and what of each quota is taken and kept.

    ``met`` tickets of the pool go to confirmed orders. ``kept`` more must not be granted to anybody, ``missing`` ones have to come back first.
    """

    confirmed: list[str] = field(default_factory=list)
    refused: list[tuple[str, Refusal]] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    met: dict[str, int] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)


def decide(asks: Iterable[Ask], stock: Mapping[str, Stock]) -> Answers:
    """Answer every ask or let it wait; never confirms more than the pools hold.

    A quota that is not in ``stock`` cannot be drawn on, so what needs it waits.
    """
    answers = Answers()
    pool = {quota: max(0, each.pool) for quota, each in stock.items()}
    coming = {quota: max(0, each.coming) for quota, each in stock.items()}
    for ask in sorted(asks, key=lambda each: (each.wish != "confirm", each.place)):
        final = _final(ask)
        if ask.wish == "withdraw":
            answers.withdrawn.append(ask.order)
        elif final is not None:
            answers.refused.append((ask.order, final))
        elif ask.answerable and _fits(ask, pool):
            answers.confirmed.append(ask.order)
            for quota, number in ask.needs.items():
                pool[quota] -= number
                answers.met[quota] = answers.met.get(quota, 0) + number
        elif ask.answerable and ask.last_call:
            answers.refused.append((ask.order, "closed"))
        elif ask.answerable and not _fits(ask, {quota: pool[quota] + coming[quota] for quota in pool}):
            answers.refused.append((ask.order, "sold_out"))
        else:
            _keep(ask, pool, coming, answers)
    return answers


def _final(ask: Ask) -> Refusal | None:
    return ask.over or ("operator" if ask.wish == "refuse" else None)


def _fits(ask: Ask, free: Mapping[str, int]) -> bool:
    return all(quota in free and free[quota] >= number for quota, number in ask.needs.items())


def _keep(ask: Ask, pool: dict[str, int], coming: dict[str, int], answers: Answers) -> None:
    """Hold a place in the queue: what is in the pool stays there, the rest is looked for."""
    for quota, number in ask.needs.items():
        kept = min(number, pool.get(quota, 0))
        pool[quota] = pool.get(quota, 0) - kept
        coming[quota] = coming.get(quota, 0) - (number - kept)
        answers.kept[quota] = answers.kept.get(quota, 0) + kept
        answers.missing[quota] = answers.missing.get(quota, 0) + number - kept
