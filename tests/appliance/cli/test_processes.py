"""Every long-running command stops within three seconds of SIGTERM, with status 0, also without a broker."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.demo import wait_for
from tests.support.http import request
from tests.support.ports import free_port

# Three seconds are promised; a test machine that does ten other things gets twice that.
STOP_S = 6.0


def start(tmp_path: Path, command: str, **more: str) -> subprocess.Popen[bytes]:
    """Start one command with settings of its own; nothing listens where the broker should be."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MARQUEE_")}
    environment |= {
        "MARQUEE_DEVICE_NAME": "hall-1",
        "MARQUEE_DEVICE_VENUE": "hall",
        "MARQUEE_DEVICE_DATA": str(tmp_path / "data"),
        "MARQUEE_BROKER_URL": f"mqtt://127.0.0.1:{free_port()}",
        "MARQUEE_BROKER_CLOUD_KEY": "a" * 64,
        **more,
    }
    log = (tmp_path / "log").open("wb")
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", "appliance.cli", command], env=environment, stdout=log, stderr=log
        )


def stop(process: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """Send SIGTERM and insist on a clean end."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        assert process.wait(10) == 0, (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()
    assert time.monotonic() - began < STOP_S


@pytest.mark.parametrize("command", ["portal", "console"])
def test_web_processes_answer_and_stop(tmp_path: Path, command: str) -> None:
    """Also with an idle connection open, as browsers keep them."""
    port = free_port()
    process = start(tmp_path, command, **{f"MARQUEE_{command.upper()}_BIND": f"127.0.0.1:{port}"})
    try:
        wait_for(lambda: request("GET", f"http://127.0.0.1:{port}/healthz", timeout_s=2).status == 200, command, 30)
    finally:
        stop(process, tmp_path)


def test_the_portal_tells_systemd_when_it_listens(tmp_path: Path) -> None:
    """Its unit is of type notify, and others start behind it."""
    port, told = free_port(), tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.bind(str(told))
        wire.settimeout(30)
        process = start(tmp_path, "portal", MARQUEE_PORTAL_BIND=f"127.0.0.1:{port}", NOTIFY_SOCKET=str(told))
        try:
            assert b"READY=1" in wire.recv(4096).splitlines()
            assert request("GET", f"http://127.0.0.1:{port}/healthz", timeout_s=30).status == 200
        finally:
            stop(process, tmp_path)


@pytest.mark.parametrize(
    ("command", "sign"), [("desk", "run/desk.sock"), ("bridge", "run/bridge.sock"), ("reconciler", "cloud.pem")]
)
def test_other_processes_start_without_a_broker_and_stop(tmp_path: Path, command: str, sign: str) -> None:
    """A broker that is away keeps nothing from starting or ending."""
    process = start(tmp_path, command)
    try:
        wait_for(lambda: (tmp_path / "data" / sign).exists() or process.poll() is not None, command, 30)
        assert process.poll() is None, (tmp_path / "log").read_text()
    finally:
        stop(process, tmp_path)


@pytest.mark.parametrize("command", ["desk", "bridge"])
def test_a_process_that_hangs_would_be_missed_and_says_where_it_stood(tmp_path: Path, command: str) -> None:
    """Its unit has ``WatchdogSec=``: silence is ended by SIGABRT."""
    told = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.bind(str(told))
        wire.settimeout(30)
        process = start(tmp_path, command, NOTIFY_SOCKET=str(told), WATCHDOG_USEC="400000")
        try:
            assert [wire.recv(4096) for _ in range(4)] == [b"WATCHDOG=1"] * 4
            process.send_signal(signal.SIGSTOP)
            wire.settimeout(1)
            with pytest.raises(TimeoutError):
                for _ in range(100):
                    wire.recv(4096)
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGABRT)
            assert process.wait(30) == -signal.SIGABRT
            assert "Fatal Python error: Aborted" in (tmp_path / "log").read_text()
            assert "Thread 0x" in (tmp_path / "log").read_text()
        finally:
            process.kill()
            process.wait()


def test_a_portal_whose_master_is_killed_leaves_no_worker_and_its_port_is_free_again(tmp_path: Path) -> None:
    """Otherwise the next portal could not listen."""
    port = free_port()
    bind = {"MARQUEE_PORTAL_BIND": f"127.0.0.1:{port}"}
    url = f"http://127.0.0.1:{port}/healthz"
    first = start(tmp_path, "portal", **bind)
    wait_for(lambda: request("GET", url, timeout_s=2).status == 200, "the first portal", 30)
    first.kill()
    first.wait()
    second = start(tmp_path, "portal", **bind)
    try:
        wait_for(lambda: request("GET", url, timeout_s=2).status == 200, "the second portal", 30)
        assert "Address already in use" not in (tmp_path / "log").read_text()
    finally:
        stop(second, tmp_path)
