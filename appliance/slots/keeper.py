"""What RAUC, the gate and people do with slots; each call is one step under one lock."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator, Mapping

import msgspec

from appliance.domain import slots
from appliance.domain.slots import Booted, Decision, Ledger, Slot, State
from appliance.slots import files
from appliance.slots.paths import Paths
from appliance.store.schema import HEAD


class NoSlots(Exception):
    """This machine has no slots: it does not run from an image, or its first partition is missing."""


class OnTrial(Exception):
    """The slot that runs is not proven yet, and what was asked for would take the only one that is."""


class Status(msgspec.Struct, frozen=True):
    """How it stands: the slot that runs (empty where the firmware does not say), whether on trial, and the rest."""

    running: Slot | str
    trial: bool
    default: Slot
    next: Slot
    states: Mapping[Slot, State]
    attempts: int
    unhealthy: int = 0
    too_old: tuple[Slot, ...] = ()

    @property
    def unproven(self) -> bool:
        """Whether the slot that runs has yet to show in this boot that it may become the default."""
        return self.running not in {"", self.default}

    @property
    def alone(self) -> bool:
        """Whether there is no second slot to fall back to."""
        return "bad" in self.states.values() or bool(self.too_old)

    def words(self) -> list[str]:
        """Return it in lines for people."""
        runs = (
            f"slot {self.running} runs{' on trial' if self.trial else ''}" if self.running else "the firmware is silent"
        )
        lines = [f"{runs}; slot {self.default} boots by default, slot {self.next} at the next reboot"]
        for slot, state in sorted(self.states.items()):
            lines.append(f"slot {slot}: {state}{', too old for the database' if slot in self.too_old else ''}")
        if self.attempts > 1:
            lines.append(
                f"{self.attempts} boots in a row were not marked good; {self.unhealthy} of them were found unhealthy"
            )
        return lines


class Keeper:
    """The slots of the machine whose files are at ``paths``; the program that runs there knows schemas up to ``head``.

    Every method may raise ``NoSlots`` or ``OSError``.
    """

    def __init__(self, paths: Paths | None = None, head: int = int(HEAD)) -> None:
        self._paths = paths or Paths()
        self._head = head

    def status(self) -> Status:
        """Return how it stands."""
        default, ledger, booted = self._look()
        running = slots.slot_of(booted.partition) if booted is not None else None
        next_slot = slots.primary(default, armed=self._paths.trial.exists())
        trial = booted is not None and booted.tryboot
        floor = self._floor()
        too_old = tuple(slot for slot in slots.SLOTS if slots.too_old(ledger, slot, floor))
        return Status(
            running or "", trial, default, next_slot, ledger.states, ledger.attempts, ledger.unhealthy, too_old
        )

    def shown(self) -> Status:
        """Return how it stood after the last step of this boot, for who may not read the files themselves."""
        return msgspec.json.decode(self._paths.shown.read_bytes(), type=Status)

    def primary(self) -> Slot:
        """Return the slot that the next reboot boots."""
        return self.status().next

    def set_primary(self, slot: Slot) -> None:
        """Let the next reboot boot ``slot``: a new one once, on trial; a power cut before boots the old one."""
        with self._locked():
            default, _ledger, _booted = self._look()
            if slot == default:
                self._disarm()
            else:
                # The text names both slots again, in case an interrupted write left it saying one of them twice.
                files.write_default(self._paths.autoboot, default)
                self._arm()
            self._show()

    def state(self, slot: Slot) -> State:
        """Return whether ``slot`` last came up well."""
        return self._look()[1].states[slot]

    def set_state(self, slot: Slot, state: State) -> None:
        """Mark ``slot``; a slot on trial that is good becomes the default.

        RAUC marks a slot bad before it overwrites it. Raises ``OnTrial`` where that is the default and another runs that is not
        proven yet: were it not to come up, nothing would be left to boot.
        """
        with self._locked():
            default, ledger, booted = self._look()
            if (slot, state) == (default, "bad") and slots.on_trial(ledger, default, booted):
                raise OnTrial(
                    f"this slot is on trial; wait until it is marked good: slot {default} is the only way back"
                )
            if state == "bad" and slot != default:
                # First: what was asked for earlier, a trial of this slot, must not outlive an install that is cut off.
                self._disarm()
            self._do(slots.marked(ledger, default, booted, slot, state, self._floor()))

    def set_good(self) -> None:
        """Mark the slot that runs, where the firmware says which that is."""
        with self._locked():
            default, ledger, booted = self._look()
            if booted is None or (slot := slots.slot_of(booted.partition)) is None:
                self._do(Decision(slots.settled(ledger)))
                raise NoSlots("the firmware does not say which slot runs: none is marked")
            self._do(slots.marked(ledger, default, booted, slot, "good"))

    def attempt(self) -> bool:
        """A boot has begun. True: this slot was given up, and the machine must reboot."""
        with self._locked():
            default, ledger, booted = self._look()
            counted = slots.attempted(ledger, booted)
            decision = slots.given_up(counted, default, booted, self._floor())
            self._do(decision)
            return decision.default is not None

    def unhealthy(self) -> bool:
        """This boot did not become healthy. True: the machine must reboot."""
        with self._locked():
            default, ledger, booted = self._look()
            decision, again = slots.unhealthy(ledger, default, booted, self._floor())
            self._do(decision)
            return again

    def _look(self) -> tuple[Slot, Ledger, Booted | None]:
        booted = files.read_booted(self._paths.firmware)
        try:
            default = files.read_default(self._paths.autoboot)
        except FileNotFoundError as error:
            raise NoSlots(f"{self._paths.autoboot} is missing: this machine has no slots") from error
        if default is None:
            # A damaged text: what booted without being asked for is what the firmware takes.
            running = slots.slot_of(booted.partition) if booted is not None else None
            default = slots.other(running) if running and booted is not None and booted.tryboot else running or "A"
        return default, slots.known(files.read_ledger(self._paths.ledger), booted, self._head), booted

    def _floor(self) -> int:
        return files.read_floor(self._paths.database)

    def _do(self, decision: Decision) -> None:
        # The ledger first. Cut off between the two, the slot of before boots once more with a new count; the other way round the new
        # default would inherit the count of the one that was given up, and be given up itself, for the one that is still called good.
        files.write_ledger(self._paths.ledger, decision.ledger)
        if decision.default is not None:
            files.write_default(self._paths.autoboot, decision.default)
            # What was asked for was meant for the default of before.
            self._disarm()
        self._show()

    def _arm(self) -> None:
        """Ask for one trial: now, for reboots that keep what was asked, and by a unit on the way down for those that do not."""
        for path in (self._paths.trial, self._paths.reboot_parameter):
            files.replace(path, files.TRYBOOT.encode(), mode=0o644)

    def _disarm(self) -> None:
        """Ask for no trial any more; what somebody else handed to the reboot stays."""
        self._paths.trial.unlink(missing_ok=True)
        if self._asked() == files.TRYBOOT:
            self._paths.reboot_parameter.unlink(missing_ok=True)

    def _asked(self) -> str:
        with contextlib.suppress(OSError):
            return self._paths.reboot_parameter.read_text("ascii", "replace").strip()
        return ""

    def _show(self) -> None:
        files.replace(self._paths.shown, msgspec.json.encode(self.status()), mode=0o644)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        folder = self._paths.trial.parent
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
