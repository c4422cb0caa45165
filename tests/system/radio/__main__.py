"""``python -m tests.system.radio [PYTEST ARGUMENTS]``: an evening on the air, in a booted guest with simulated radios."""

from __future__ import annotations

import os
import shlex
import shutil
import sys

from tests.system import ending, figures
from tests.system.guest.__main__ import missing, say
from tests.system.guest.boot import run
from tests.system.guest.root import guest
from tests.system.radio.root import ansible_playbook, recipe

SUITE = (
    "MARQUEE_NO_SKIPS=1 python3 -m pytest -p no:cacheprovider -c /dev/null --rootdir /run/tree --import-mode importlib"
    " --color no -v -x -rfE --timeout 900 --durations 5 tests/system/radio/inside"
)
# What tells why, when something did not come up.
AFTERWARDS = (
    "status=$?; [ $status = 0 ] || journalctl --no-pager -n 120 -u hostapd -u marquee-dnsmasq -u marquee-uplink-wifi -u marquee-uplink-modem"
    " -u nftables -u systemd-networkd; exit $status"
)


def _passed_on(line: str) -> None:
    """Show a line of the guest; what was measured there goes where figures go."""
    word, _, rest = line.partition("figure: ")
    name, _, value = rest.partition(": ")
    if not word and value:
        figures.tell("radio", name, value)
    else:
        say(line)


def main(arguments: list[str]) -> int:
    """Build, boot, run; return pytest's exit status."""
    if told := missing(os.geteuid(), shutil.which):
        raise SystemExit("\n".join(told))
    ansible_playbook()
    ending.orderly()
    made = guest(say, recipe=recipe())
    say("booting the guest (half a minute on two quiet cores) ...")
    status = run(made, f"( {SUITE} {shlex.join(arguments)}\n); ({AFTERWARDS})\n", _passed_on)
    say(f"the suite ended with {status}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
