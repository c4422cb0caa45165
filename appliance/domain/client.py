"""Who asks: a guest's phone or a member of staff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Client:
    """``id`` names the phone (DHCP lease or signed nonce), ``address`` where it called from; ``known`` if it named itself.

    ``visitor`` is its name in what is counted of visits (empty: not counted), ``bucket`` decides which variant it is shown (None: no variant).
    """

    id: str
    address: str
    known: bool = True
    kind: Literal["guest", "staff"] = "guest"
    visitor: str = ""
    bucket: int | None = None

    @property
    def is_staff(self) -> bool:
        """Staff are exempt from every limit that protects guests from each other."""
        return self.kind == "staff"
