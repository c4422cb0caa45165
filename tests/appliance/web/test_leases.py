from __future__ import annotations

from pathlib import Path

from appliance.web.leases import Leases


def test_an_address_belongs_to_the_hardware_dnsmasq_gave_it_to(tmp_path: Path) -> None:
    path = tmp_path / "dnsmasq.leases"
    path.write_text("1700000000 AA:bb:cc:00:00:01 192.168.4.10 phone 01:aa\n0 aa:bb:cc:00:00:02 192.168.4.11 * *\n")
    leases = Leases(path)
    assert leases.hardware_of("192.168.4.10") == "aa:bb:cc:00:00:01"
    assert leases.hardware_of("192.168.4.11") == "aa:bb:cc:00:00:02"
    assert leases.hardware_of("192.168.4.12") is None


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "dnsmasq.leases"
    path.write_text("1 aa:aa:aa:aa:aa:aa 10.0.0.1 * *\n")
    leases = Leases(path)
    assert leases.hardware_of("10.0.0.1") == "aa:aa:aa:aa:aa:aa"
    fresh = tmp_path / "new"
    fresh.write_text("1 bb:bb:bb:bb:bb:bb 10.0.0.1 * *\n")
    fresh.replace(path)
    assert leases.hardware_of("10.0.0.1") == "bb:bb:bb:bb:bb:bb"


def test_without_a_file_or_with_other_lines_nobody_is_known(tmp_path: Path) -> None:
    assert Leases(None).hardware_of("10.0.0.1") is None
    assert Leases(tmp_path / "missing").hardware_of("10.0.0.1") is None
    odd = tmp_path / "odd"
    odd.write_bytes(b"duid 00:01:00\n\xff\xfe\nx\n1 aa\n")
    assert Leases(odd).hardware_of("10.0.0.1") is None
