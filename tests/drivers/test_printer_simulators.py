"""The simulators themselves: scripted faults, the server's bounds, what a demo page shows."""

from __future__ import annotations

import io
import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from drivers import DeviceError, DeviceTimeout, DeviceUnavailable, open_printer, printer_for
from drivers.printer.api import Cover, Paper, Printer, Trouble, write_deadline_s
from drivers.printer.document import Cut, Document, Text
from drivers.printer.encoder import render
from drivers.printer.paper import PAPER_DOTS
from drivers.printer.server import SimulatedPrinterServer
from drivers.printer.sim import SimPrinter
from drivers.printer.simulator import Fault, SimulatedPrinter
from tests.drivers.patience import eventually


def job(text: str) -> bytes:
    return render(Document.of(Text(text), Cut()))


def test_an_address_can_script_a_fault_that_comes_after_some_jobs() -> None:
    printer = open_printer("sim://printer?paper=out&after=2")
    assert isinstance(printer, SimPrinter)
    for number in range(3):
        printer.write(job(f"job {number}"), 1.0)
    assert [receipt.text for receipt in printer.simulated.receipts()] == ["job 0", "job 1"]
    assert printer.status().paper is Paper.OUT


def test_an_address_can_start_with_the_cover_open_or_the_cable_out() -> None:
    assert open_printer("sim://printer?cover=open").status().cover is Cover.OPEN
    with pytest.raises(DeviceUnavailable, match="plugged in"):
        open_printer("sim://printer?fault=unplug")


def test_changing_the_fault_ends_a_wait_at_once() -> None:
    printer = open_printer("sim://printer?fault=stall")
    assert isinstance(printer, SimPrinter)
    mender = threading.Timer(0.1, printer.simulated.set_fault, [None])
    mender.start()
    start = time.monotonic()
    assert printer.write(b"x" * 10_000, 60.0) == 10_000
    assert time.monotonic() - start < 10
    mender.join()


def test_an_unknown_fault_name_is_refused_and_changes_nothing() -> None:
    with SimulatedPrinterServer() as server:
        server.set_fault("paper_low")
        with pytest.raises(ValueError, match="on_fire"):
            server.set_fault("on_fire")
        assert server.fault == "paper_low"
        server.set_fault(None)
        assert server.fault is None


def test_the_server_keeps_the_last_receipts_only() -> None:
    with SimulatedPrinterServer(kept=3) as server:
        printer = open_printer(server.url)
        for number in range(5):
            printer.write(job(f"job {number}"), 2.0)
        assert printer.confirm(2.0)
        assert [receipt.text for receipt in server.receipts()] == ["job 2", "job 3", "job 4"]
        assert server.printer.count == 5
        printer.close()


def test_the_last_receipt_is_a_png_as_wide_as_the_paper() -> None:
    with SimulatedPrinterServer() as server:
        assert server.receipt_png() is None
        printer = open_printer(server.url)
        printer.write(job("seen on the demo page"), 2.0)
        assert printer.confirm(2.0)
        png = server.receipt_png()
        assert png is not None
        assert Image.open(io.BytesIO(png)).width == PAPER_DOTS
        assert server.receipt_png() is png
        printer.close()


def test_any_client_may_connect_and_two_do_not_disturb_the_server() -> None:
    with SimulatedPrinterServer() as server:
        with socket.create_connection(("127.0.0.1", server.port), 5) as stranger:
            stranger.sendall(b"\x10\x04\x01")
            assert stranger.recv(1) == b"\x12"
            printer = open_printer(server.url)
            assert printer.status().online
            printer.close()
        assert eventually(lambda: not server._clients)


def test_an_unplugged_server_refuses_and_comes_back_on_the_same_port() -> None:
    with SimulatedPrinterServer() as server:
        port = server.port
        server.set_fault("unplug")
        assert eventually(lambda: not _accepts(port))
        server.set_fault(None)
        assert eventually(lambda: _accepts(port))


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_the_server_stops_even_when_stalled_with_clients() -> None:
    server = SimulatedPrinterServer()
    server.start()
    with socket.create_connection(("127.0.0.1", server.port), 5) as client:
        server.set_fault("stall")
        client.sendall(b"x" * 1000)
        start = time.monotonic()
        server.stop()
        assert time.monotonic() - start < 4


def test_a_network_printer_that_hung_up_while_idle_takes_no_byte_of_the_next_job() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    printer = open_printer(f"escpos+tcp://127.0.0.1:{listener.getsockname()[1]}?timeout=1")
    connection, _ = listener.accept()
    connection.close()
    with pytest.raises(DeviceUnavailable) as gone:
        eventually(lambda: printer.write(b"x", 1.0) == 0)
    assert gone.value.bytes_taken == 0
    listener.close()


def test_a_printer_that_never_accepts_does_not_hold_open_longer_than_its_timeout() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first = socket.create_connection(full.getsockname(), 5)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        start = time.monotonic()
        with pytest.raises(DeviceTimeout):
            open_printer(f"escpos+tcp://127.0.0.1:{full.getsockname()[1]}?timeout=0.3")
        assert time.monotonic() - start < 2
        for one in [first, *waiting]:
            one.close()


@pytest.mark.parametrize("fault", ["unplug", "reset", "stall"])
def test_an_address_can_script_a_break_at_any_byte_of_a_job(fault: str) -> None:
    printer = open_printer(f"sim://printer?fault={fault}&after_bytes=20")
    assert isinstance(printer, SimPrinter)
    with pytest.raises(DeviceError) as broken:
        printer.write(b"x" * 5000, 0.1)
    kept = 1024 if fault == "stall" else 0
    assert broken.value.bytes_taken == 20 + kept
    assert printer.simulated.byte_count == 20


def test_a_printer_that_restarts_loses_what_was_not_cut_and_comes_back_by_itself() -> None:
    printer = open_printer("sim://printer?fault=reset&after_bytes=8")
    assert isinstance(printer, SimPrinter)
    with pytest.raises(DeviceUnavailable):
        printer.write(job("first half lost"), 1.0)
    with pytest.raises(DeviceUnavailable):
        printer.open()
    assert eventually(lambda: _opens(printer))
    printer.write(job("whole"), 1.0)
    assert printer.confirm(1.0)
    assert printer.simulated.receipts()[-1].lines[-1] == "whole"


def _opens(printer: Printer) -> bool:
    try:
        printer.open()
    except DeviceUnavailable:
        return False
    return True


def test_a_network_printer_that_hangs_up_after_each_job_wastes_no_paper() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    printer = open_printer(f"escpos+tcp://127.0.0.1:{listener.getsockname()[1]}?timeout=1")
    simulated = SimulatedPrinter()
    for number in range(2):
        printer.open()
        connection, _ = listener.accept()
        printer.write(job(f"job {number}"), 2.0)
        simulated.receive(connection.recv(10_000))
        connection.close()
        assert not printer.confirm(1.0)
    first, second = simulated.receipts()
    assert [len(first.rows), first.text, second.text] == [len(second.rows), "job 0", "job 1"]
    listener.close()


def test_a_jammed_knife_is_told_from_a_printer_that_is_merely_offline() -> None:
    jammed = open_printer("sim://printer?fault=jam")
    assert jammed.status().trouble is Trouble.CUTTER
    assert "knife" in jammed.health().reason
    assert open_printer("sim://printer?fault=offline").status().trouble is None


def test_an_address_can_say_how_slow_the_cable_is_and_how_long_answers_take() -> None:
    printer = open_printer("sim://printer?bytes_per_s=960&reply_ms=60&timeout=1")
    assert printer.bytes_per_s == 960
    start = time.monotonic()
    assert printer.status().online
    assert time.monotonic() - start > 0.17


def test_a_serial_line_says_how_much_it_carries() -> None:
    assert printer_for("escpos+serial:///dev/ttyUSB9?baud=9600").bytes_per_s == 960


def test_a_write_may_take_as_long_as_its_line_needs() -> None:
    assert write_deadline_s(500, 500_000) < 10.1
    assert write_deadline_s(9600, 960) == 30.0


@settings(max_examples=50)
@given(
    st.integers(1, 3000),
    st.integers(1, 4000),
    st.sampled_from([Fault.UNPLUG, Fault.RESET, Fault.STALL, Fault.PAPER_OUT]),
)
def test_wherever_a_job_breaks_nothing_that_left_is_counted_as_not_taken(size: int, at: int, fault: Fault) -> None:
    printer = open_printer("sim://printer")
    assert isinstance(printer, SimPrinter)
    printer.simulated.break_after_bytes(at, fault)
    try:
        taken = printer.write(b"x" * size, 0.005 if fault is Fault.STALL else 5.0)
    except DeviceError as broken:
        taken = broken.bytes_taken
    # The question that leaves with the job is no part of it.
    assert min(size, printer.simulated.byte_count) <= taken <= size
    assert taken == size or fault is not Fault.PAPER_OUT


def test_bytes_beyond_a_break_are_lost_where_the_cable_did_not_keep_them() -> None:
    simulated = SimulatedPrinter()
    simulated.break_after_bytes(6, Fault.UNPLUG)
    simulated.receive(b"lost\n\x1d" + b"V\x00kept?\n\x1dV\x00")
    simulated.set_fault(None)
    simulated.receive(b"next\n\x1dV\x00")
    assert [receipt.text for receipt in simulated.receipts()] == ["next"]
