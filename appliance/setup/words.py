"""How far a device is, in the reader's language: what it is and what to do. ``domain/setup`` has the same for console and paper."""

from __future__ import annotations

from appliance.domain.setup import Step
from appliance.web.texts import _


def words_for(step: Step) -> tuple[str, str]:
    """Return title and what to do."""
    by_itself = _("Nothing needs to be done: it goes on by itself.")
    card = _(
        "Have the central office write a new one, switch this device off, put the file on its card and switch it on."
    )
    words: dict[Step, tuple[str, str]] = {
        "no_file": (_("This device has no provisioning file."), card),
        "bad_file": (_("The provisioning file of this device cannot be used."), card),
        "waiting": (_("This device is asking the central office for its certificate."), by_itself),
        "unreachable": (
            _("The central office cannot be reached."),
            _("Connect this device to the internet, by cable, modem or Wi-Fi. Then it goes on by itself."),
        ),
        "wrong_authority": (
            _("Somebody else answers in the place of the central office."),
            _("Perhaps this internet wants a sign-in first. It is tried again every minute."),
        ),
        "token_refused": (
            _("The central office refuses this provisioning file: its token was used, or is too old."),
            card,
        ),
        "sealed": (_("The central office has closed this device for good. It needs a new name."), card),
        "done": (_("This device is set up."), by_itself),
    }
    return words[step]
