"""What a command loads before it does anything: on a board that starts, every process wants the same processors."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from appliance.cli import parser

BOOT = {
    "certificate": ("certificate",),
    "enrol": ("enrol", "--once"),
    "first-boot": ("first-boot", "--file", "/nonexistent"),
    "hotspot-config": ("hotspot-config", "--out", "/nonexistent/out"),
    "setup-screen": ("setup-screen", "--tty", "-"),
    "slot": ("slot", "status"),
    "uplink-config": ("uplink-config", "wifi", "--out", "/nonexistent/out"),
}
# Libraries that take a board seconds and that these commands can do without.
HEAVY = ("structlog", "asyncio", "sqlalchemy", "flask", "jinja2", "PIL", "webauthn")


def loaded_by(script: str, data: str) -> set[str]:
    """Top-level names of the modules that a fresh Python has loaded at the end of a script."""
    ends = f"import sys\n{script}\nprint()\nprint(*{{each.partition('.')[0] for each in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", ends], capture_output=True, text=True, check=True, env={"MARQUEE_DEVICE_DATA": data}
    )
    return set(done.stdout.splitlines()[-1].split())


def silent() -> list[str]:
    """The commands that log nothing."""
    commands = next(each for each in parser()._actions if isinstance(each, argparse._SubParsersAction))
    return sorted(name for name, each in commands.choices.items() if not each.get_default("logs"))


def test_the_commands_of_a_boot_are_those_that_log_nothing() -> None:
    assert silent() == sorted(BOOT)


@pytest.mark.parametrize("command", BOOT)
def test_a_command_of_a_boot_loads_nothing_heavy(command: str, tmp_path) -> None:
    found = loaded_by(f"from appliance import cli\ncli.main({list(BOOT[command])})", str(tmp_path))
    assert not found & set(HEAVY)


def test_the_portal_does_not_wait_for_what_few_people_use(tmp_path) -> None:
    """Passkeys of staff and the compiler of translations are loaded by who needs them."""
    assert not loaded_by("import appliance.portal", str(tmp_path)) & {"webauthn"}
    assert "babel.messages" not in loaded_by("import appliance.portal", str(tmp_path))


def test_the_pool_of_guests_has_nothing_of_staff_and_does_not_load_their_pages(tmp_path) -> None:
    """What opens cases, takes money and reads what cameras see is nothing that a guest's request could reach."""
    script = f"""
import sys
from pathlib import Path
from tests.support.box import make_box

folder = Path({str(tmp_path)!r})
box = make_box(folder)
from appliance.portal import WebSettings, create_app

client = create_app(box, WebSettings(data=folder, staff=False)).test_client()
sent = "orders", "orders/x/payments", "orders/x/refunds", "check-ins", "staff/tokens"
found = [client.get(each).status_code for each in ("/", "/staff/sign-in", "/api/v1/orders?q=ada")]
found += [client.post(f"/api/v1/{{each}}").status_code for each in sent]
print(*found)
print(*(each for each in sys.modules if each.startswith("appliance.portal.staff")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["200 404 405 415 404 404 404 404", ""]


def test_the_gate_loads_no_box_office(tmp_path) -> None:
    assert not loaded_by("import appliance.doctor.gate", str(tmp_path)) & {"flask", "paho", "PIL", "structlog"}


@pytest.mark.parametrize("process", ["appliance.portal", "appliance.desk.process"])
def test_a_process_that_speaks_to_no_broker_has_neither_mqtt_nor_the_clouds_database_in_memory(
    process: str, tmp_path
) -> None:
    """Each of them is a megabyte or three, in processes that share a board of 512 MB."""
    script = f"import {process}\nfrom appliance.bootstrap import device\nimport sys"
    assert "paho" not in loaded_by(script, str(tmp_path))
    told = f"{script}\nprint(*(each for each in sys.modules if each in ('cryptography.x509', 'sqlalchemy.dialects.postgresql')))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
