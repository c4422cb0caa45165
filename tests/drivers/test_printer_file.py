"""The device file in detail: what may be one, who may have it, and printers that cannot answer."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import DeviceUnavailable, open_printer
from drivers.errors import BadDeviceUrl
from drivers.printer import file as module
from drivers.printer.api import UNKNOWN_STATUS, Paper
from drivers.printer.pty import PtyPrinter


@pytest.fixture
def device(tmp_path: Path) -> Iterator[PtyPrinter]:
    printer = PtyPrinter(tmp_path / "lp0")
    printer.start()
    yield printer
    printer.stop()


def test_a_plain_file_a_folder_and_a_pipe_are_no_printers(tmp_path: Path) -> None:
    plain, pipe = tmp_path / "plain", tmp_path / "pipe"
    plain.write_bytes(b"keep me")
    os.mkfifo(pipe)
    for path in (plain, pipe, tmp_path):
        with pytest.raises(DeviceUnavailable, match="is no device"):
            open_printer(f"escpos+file://{path}")
    assert plain.read_bytes() == b"keep me"


def test_a_file_that_is_not_there_and_one_that_may_not_be_used_say_why(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable, match="No such file"):
        open_printer(f"escpos+file://{tmp_path / 'lp0'}")
    with pytest.raises(BadDeviceUrl, match="escpos\\+file:///dev/usb/lp0"):
        open_printer("escpos+file://lp0")


def test_one_device_has_one_user(device: PtyPrinter) -> None:
    first = open_printer(f"escpos+file://{device.path}")
    with pytest.raises(DeviceUnavailable, match="another program has it open"):
        open_printer(f"escpos+file://{device.path}")
    first.close()
    open_printer(f"escpos+file://{device.path}").close()


def test_a_printer_without_a_way_back_is_unknown_and_still_prints(
    device: PtyPrinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What usblp answers a read for a write-only printer."""
    printer = open_printer(f"escpos+file://{device.path}?timeout=0.2")
    read = os.read

    def refuse(descriptor: int, size: int) -> bytes:
        if size == module._READ_BYTES and descriptor == printer._link._file:  # type: ignore[attr-defined]
            raise OSError(errno.EINVAL, "Invalid argument")
        return read(descriptor, size)

    monkeypatch.setattr("drivers.printer.file.os.read", refuse)
    assert printer.status() == UNKNOWN_STATUS
    assert printer.write(b"x\n\x1dV\x00", 1.0) == 5
    printer.close()


@pytest.mark.parametrize(("port", "paper"), [(0x38, Paper.OUT), (0x20, Paper.OUT), (0x18, Paper.OK), (0xFF, Paper.OK)])
def test_the_status_of_the_port_makes_a_reading_worse_never_better(
    device: PtyPrinter, monkeypatch: pytest.MonkeyPatch, port: int, paper: Paper
) -> None:
    printer = open_printer(f"escpos+file://{device.path}?timeout=0.5")
    ioctl = fcntl.ioctl

    def with_port(descriptor: int, request: int, argument: bytes) -> bytes:
        if request == 0x060B:
            return struct.pack("i", port)
        return bytes(ioctl(descriptor, request, argument))

    monkeypatch.setattr("drivers.printer.file.fcntl.ioctl", with_port)
    assert printer.status().paper is paper
    device.printer.set_fault("silent")
    assert printer.status().paper is (Paper.OUT if paper is Paper.OUT else Paper.UNKNOWN)
    printer.close()


def test_a_piece_in_which_the_printer_was_pulled_out_counts_as_taken(
    device: PtyPrinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What usblp answers of a transfer of which the printer has a part already: that there is no printer."""
    printer = open_printer(f"escpos+file://{device.path}?timeout=0.5")
    name, write = os.path.realpath(device.path), os.write

    def usblp_write(descriptor: int, data: bytes) -> int:
        if str(Path(f"/proc/self/fd/{descriptor}").readlink()) == name:
            raise OSError(errno.ENODEV, "No such device")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", usblp_write)
    with pytest.raises(DeviceUnavailable) as gone:
        printer.write(b"x" * 100, 1.0)
    assert gone.value.bytes_taken == 100


def test_a_printer_that_is_known_to_be_gone_took_nothing(device: PtyPrinter) -> None:
    printer = open_printer(f"escpos+file://{device.path}?timeout=0.5")
    device.stop()
    with pytest.raises(DeviceUnavailable) as gone:
        printer.write(b"x" * 100, 1.0)
    assert gone.value.bytes_taken == 0
