"""``python -m tests.system.board``: the image becomes a box office on the board, phones come, and how long it takes and how much memory."""

from __future__ import annotations

import json
import secrets
import shlex
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from mqtt_bridge.protocol.portal_pairs import name_for
from tests.system import ending
from tests.system.board.board import Board
from tests.system.board.machine import Hardware
from tests.system.board.memory import ours_mb
from tests.system.built import tell_built
from tests.system.cloud import HANDED
from tests.system.figures import tell
from tests.system.image import image
from tests.system.radio.image import RADIOS, evening
from tests.system.venue_board import DEVICE, READY_S, Venue, venue

_START_S = time.monotonic()
# What of a boot is compared: from the kernel's start until pages are served, and until Debian alone has all its units up.
RATIO, MEMORY_MB = 1.6, 300
# Asks for a page, as nginx passes it on, until it is answered; prints the seconds since the kernel's start. By the shell alone:
# whoever measures a boot wants the same processor.
_ANSWERED = (
    "bash -c 'until exec 3<>/dev/tcp/127.0.0.1/8082"
    ' && printf "GET /healthz HTTP/1.0\\r\\n\\r\\n" >&3 && read -t 10 -r _ status _ <&3 && [ "$status" = 200 ];'
    " do exec 3>&-; sleep 0.5; done 2>/dev/null; read -r up _ </proc/uptime; echo $up'"
)
# Sleeps until all units are up, well or not.
_SETTLED = "systemctl is-system-running --wait >/dev/null || systemctl is-active -q multi-user.target"
# Asks for the page on which staff sign in, under the certificate that the device made; prints the first line of the answer.
_STAFF = (
    "python3 -c 'import socket, ssl\n"
    'trusted = ssl.create_default_context(cafile="/var/lib/marquee-portal/own.pem")\n'
    'plain = socket.create_connection(("192.168.4.1", 443), 60)\n'
    'line = trusted.wrap_socket(plain, server_hostname="tickets.home.arpa")\n'
    'line.sendall(b"GET /staff/sign-in HTTP/1.0\\r\\nHost: tickets.home.arpa\\r\\n\\r\\n")\n'
    "print(line.makefile().readline())'"
)
# Waits until phones are told of the captive portal API: a timer looks at the certificate some time after the boot.
_TOLD = (
    "for _ in $(seq 300); do grep -qs ^114 /run/marquee/dhcp-options && exit 0; sleep 1; done;"
    " journalctl -b -u marquee-certificate -u marquee-enrol -u marquee-renewal -o cat --no-pager;"
    " ls -l /var/lib/marquee-phones; exit 1"
)
_NAME = name_for(HANDED, DEVICE)
_API = f"https://{_NAME}/.well-known/captive-portal"
# What a box office is made of; each must be active, because one that was never started has not failed either.
_UNITS = (
    *("marquee-portal", "marquee-staff", "marquee-desk", "marquee-bridge", "marquee-good", "marquee-log-end"),
    *("hostapd", "marquee-dnsmasq", "nginx", "nftables", "systemd-networkd", "systemd-resolved", "systemd-timesyncd"),
    *("ssh", "prometheus-node-exporter"),
    *(f"marquee-{name}.timer" for name in ("certificate", "log", "own-certificate", "renewal")),
)


def say(line: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{time.monotonic() - _START_S:6.1f}] {line}", flush=True)


def main(_words: list[str]) -> int:
    """Return 0 if the image becomes a box office within its figures."""
    ending.orderly()
    built = image()
    size = built.packed.stat().st_size / 1e6
    tell_built(built.packed.parent)
    bare_s = _bare()
    with venue(built.raw, secrets.randbits(32), say, radios=RADIOS) as at:
        at.start(flashed_from=built.packed)
        say("the image is a box office; the phones come ...")
        evening(at, "board")
        had = at.check_kept()
        assert had, "the evening left no order"
        # The first boot makes keys, grows the card and enrols; what is compared is every other one, with the radios of a board.
        at.board.hardware = replace(at.board.hardware, radios=2, guards=True)
        served_s = _served(at)
        assert at.check_kept() >= had
        time.sleep(30)
        _units(at)
        gate_s = _reached(at.board, "marquee-ready.service", "ExecMainExitTimestampMonotonic")
        print(at.board.check("systemd-analyze critical-chain --no-pager marquee-ready.service", READY_S))
        memory = ours_mb(at.board)
        _sells(at)
        used = ours_mb(at.board)
        if served_s / bare_s > RATIO:
            # One boot of each is a single throw on a machine that may do other things: of a second one the faster counts, of both.
            at.board.switch_off()
            bare_s = min(bare_s, _bare())
            boot = len(at.board.boots)
            at.board.start()
            served_s = min(served_s, _answered(at, boot))
    ratio = served_s / bare_s
    tell(
        "board",
        "boot to the portal answering (Debian alone: all units up)",
        f"{served_s:.0f} s ({bare_s:.0f} s): {ratio:.2f}",
        f"<= {RATIO}",
    )
    tell("board", "boot to all of a box office, as its gate finds it", f"{gate_s:.0f} s")
    tell("board", "memory of our processes, idle (PSS)", f"{memory:.0f} MB", f"<= {MEMORY_MB} MB")
    tell("board", "memory of our processes after a booking and a sign-in page", f"{used:.0f} MB")
    assert size <= 400, f"the image has {size:.0f} MB"
    assert memory <= MEMORY_MB, f"our processes take {memory:.0f} MB"
    assert ratio <= RATIO, f"booting takes {ratio:.2f} times as long as Debian alone"
    return 0


def _bare() -> float:
    """Boot Debian alone a second time, as the box office is; return the seconds from the kernel's start until its units are up."""
    with (
        tempfile.TemporaryDirectory(prefix="bare-") as name,
        Board(image(bare=True).raw, hardware=Hardware(guards=True), folder=Path(name), say=say) as board,
    ):
        board.start()
        board.wait_boot(0, READY_S)
        board.check(_SETTLED, READY_S)
        board.reboot(READY_S)
        board.check(_SETTLED, READY_S)
        bare_s = _reached(board, "multi-user.target", "ActiveEnterTimestampMonotonic")
    say(f"Debian alone had all its units up {bare_s:.0f} s after the kernel's start")
    return bare_s


def _served(at: Venue) -> float:
    """Boot the box office again; return the seconds from the kernel's start until pages are served."""
    boot = len(at.board.boots)
    at.board.reboot(READY_S)
    return _answered(at, boot)


def _answered(at: Venue, boot: int) -> float:
    """Return the seconds from the kernel's start in a boot that has begun until pages are served. Returns when the box office is whole."""
    served_s = float(at.board.check(_ANSWERED, READY_S))
    say(f"a page was answered {served_s:.0f} s after the kernel's start")
    at.recovered(boot, 2)
    return served_s


def _sells(at: Venue) -> None:
    """Book over the air."""
    at.board.check(_TOLD, READY_S)
    at.join()
    _believed(at)
    assert any(at.sell() for _ in range(10)), at.sales
    at.check_kept()
    answer = at.board.check(_STAFF, READY_S)
    assert " 200 " in answer, answer
    say("a phone joined over the air and booked; staff are asked to sign in over HTTPS")


def _believed(at: Venue) -> None:
    """The phone was told of the captive portal API under the name that the cloud handed out a certificate for, and believes it."""
    joined = at.board.check("journalctl -b -u board-air -o cat --no-pager")
    assert f"captive portal: {_API}" in joined.splitlines(), joined
    trust = Path(at.cloud.public.file).read_text("ascii")
    at.board.check(f"printf %s {shlex.quote(trust)} >/run/board-trust.pem")
    ask = "python3 -B /run/share/tests/system/board/air.py ask"
    answer = at.board.check(f"ip netns exec phone {ask} {_API} /run/board-trust.pem", READY_S)
    head, _, body = answer.replace("\r\n", "\n").partition("\n\n")
    assert " 200 " in head.splitlines()[0], answer
    assert "application/captive+json" in head, answer
    found = json.loads(body)
    assert found["captive"] is True, answer
    assert found["user-portal-url"] == f"https://{_NAME}/welcome", answer
    say(f"the phone was told of {_API}, and believes it")


def _units(at: Venue) -> None:
    """No unit may have failed, each of a box office is active, and the gate's words are shown."""
    print(at.board.check("journalctl -b -u marquee-ready -o cat --no-pager"))
    failed = at.board.check("systemctl list-units --failed --plain --no-legend --no-pager").strip()
    assert not failed, f"units failed:\n{failed}"
    states = at.board.run(f"systemctl is-active {' '.join(_UNITS)}").output.split()
    assert (
        idle := [f"{name} is {state}" for name, state in zip(_UNITS, states, strict=True) if state != "active"]
    ) == [], idle


def _reached(board: Board, unit: str, moment: str) -> float:
    return int(board.check(f"systemctl show -P {moment} {unit}")) / 1e6


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
