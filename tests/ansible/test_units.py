"""Every unit of ours: read by systemd's own judge, and in line with what all of them promise."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from image import layers
from image.plan import VALUES
from tests.support.roles import ANSIBLE, ROLES, render

BOARD = "pi4-pi5"
# By systemd's measure: from 0 (nothing is left open) to 10.
MOST_EXPOSED = 2.0
UNITS = sorted((path.parent.parent.name, path.name) for path in ROLES.glob("*/templates/marquee-*.service.j2"))
PROCESSES = [
    ("portal", "marquee-portal.service.j2"),
    ("portal", "marquee-staff.service.j2"),
    ("desk", "marquee-desk.service.j2"),
    ("bridge", "marquee-bridge.service.j2"),
]


def written(folder: Path) -> dict[str, Path]:
    """Write all units of ours; template -> file. A template of many is written as its first."""
    files = {}
    for role, template in UNITS:
        path = folder / template.removesuffix(".j2").replace("@.", "@1.")
        path.write_text(render(role, template), encoding="utf-8")
        files[template] = path
    for layer in layers.load(BOARD, VALUES):
        for file in layer.files:
            if (name := Path(file.path).name).startswith("marquee-") and name.endswith(".service"):
                files[name] = folder / name
                files[name].write_text(file.text, encoding="utf-8")
    return files


def exposure(*units: Path) -> dict[str, float]:
    """What systemd says is left open to each unit, from 0 to 10."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", *map(str, units)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = re.findall(r"Overall exposure level for (\S+): ([0-9.]+)", done.stdout)
    assert {name for name, _ in found} == {path.name for path in units}, done.stderr
    return {name: float(level) for name, level in found}


def words(text: str, key: str) -> list[str]:
    """Every value of a key, in order."""
    return re.findall(rf"^{key}=(.*)$", text, flags=re.MULTILINE)


@pytest.mark.system
def test_systemd_finds_little_to_say_about_any_unit(tmp_path: Path) -> None:
    """Those of the roles, and the two that only a card has."""
    files = written(tmp_path)
    assert {"marquee-data.service", "marquee-grow.service"} <= files.keys()
    assert {name: level for name, level in exposure(*files.values()).items() if level > MOST_EXPOSED} == {}


HANDED = "/var/lib/marquee-phones"
FETCHING = ("marquee-enrol.service.j2", "marquee-renewal.service.j2")


@pytest.mark.system
def test_what_fetches_a_certificate_for_phones_is_no_more_open_than_the_rest(tmp_path: Path) -> None:
    """Its folder is the group's to enter, nginx's workers among it, and nobody else's."""
    paths = []
    for template in FETCHING:
        text = render("identity", template, identity_handed_folder=HANDED)
        assert (words(text, "StateDirectory"), words(text, "StateDirectoryMode")) == (["marquee-phones"], ["0750"])
        assert words(render("identity", template), "StateDirectory") == []
        paths.append(tmp_path / template.removesuffix(".j2"))
        paths[-1].write_text(text, encoding="utf-8")
    assert {name: level for name, level in exposure(*paths).items() if level > MOST_EXPOSED} == {}


def test_a_renewal_that_is_due_is_tried_again_within_a_quarter_of_an_hour_and_never_given_up() -> None:
    """And it is looked at as soon as the clock is set: a board without a battery boots with the time of its last evening."""
    text, timer = render("identity", "marquee-renewal.service.j2"), render("identity", "marquee-renewal.timer.j2")
    assert (words(text, "Type"), words(text, "Restart")) == (["oneshot"], ["on-failure"])
    assert words(text, "SuccessExitStatus") == []
    assert words(text, "StartLimitIntervalSec") == ["0"]
    assert (words(text, "RestartSec"), words(text, "RestartMaxDelaySec")) == (["1min"], ["15min"])
    assert words(text, "RestartSteps"), "without steps every delay is the first one"
    assert words(timer, "OnBootSec") == ["1min"]
    assert words(timer, "OnClockChange") == ["yes"]
    assert words(timer, "RandomizedDelaySec")
    assert "marquee-portal.service" in words(text, "After")[0].split()


def test_nobody_stops_by_hand_what_a_device_stands_on(tmp_path: Path) -> None:
    """A stop goes on to all that requires the unit: `systemctl stop 'marquee-*'` would take /var and sshd away."""
    texts = {template: path.read_text("utf-8") for template, path in written(tmp_path).items()}
    layered = "\n".join(file.text for layer in layers.load(BOARD, VALUES) for file in layer.files)
    required = set(re.findall(r"x-systemd\.requires=(marquee-\S+?\.service)\b", layered))
    required |= {name for name, text in texts.items() if words(text, "RequiredBy")} - {"marquee-ready.service.j2"}
    assert required == {"marquee-data.service", "marquee-ssh-key.service.j2"}
    assert {name for name in required if words(texts[name], "RefuseManualStop") != ["yes"]} == set()


def test_what_speaks_to_strangers_in_our_group_does_not_see_that_key() -> None:
    assert words(render("hotspot", "marquee-dnsmasq.service.j2"), "InaccessiblePaths") == [f"-{HANDED}"]


def test_a_certificate_that_the_cloud_hands_out_is_taken_by_images_and_venues_without_one_of_their_own() -> None:
    for path, found in (
        (ANSIBLE / "image.yml", lambda book: book[0]["vars"]),
        (ANSIBLE / "inventory/example/group_vars/venues.yml", lambda given: given),
    ):
        assert found(yaml.safe_load(path.read_text(encoding="utf-8")))["portal_handed_folder"] == HANDED
    names = ("portal_handed_folder", "portal_secure_name")
    for given, folder in (({}, ""), ({names[0]: HANDED}, HANDED), ({names[0]: HANDED, names[1]: "v7.example.org"}, "")):
        text = render("identity", "marquee.toml.j2", names, **given)
        assert f'\nhanded_folder = "{folder}"\n' in text


@pytest.mark.system
def test_only_what_writes_a_whole_slot_may_more(tmp_path: Path) -> None:
    """RAUC mounts, sets up block devices and writes partitions; hardening.md says so, and how much."""
    path = tmp_path / "rauc.service"
    path.write_text(render("update", "rauc.service.j2"), encoding="utf-8")
    (level,) = exposure(path).values()
    assert f"RAUC's at {level}" in (ROLES.parent.parent / "docs" / "hardening.md").read_text("utf-8")


def test_a_boot_that_stops_says_so_on_the_screen_and_ends_whether_there_is_one_or_not(tmp_path: Path) -> None:
    said, *rest = [each for each in words(render("update", "emergency.conf.j2"), "ExecStart") if each]
    assert rest == ["/usr/bin/sleep 45", "/usr/bin/systemctl --force reboot"]
    assert "%" not in said
    assert "$" not in said
    # A screen whose output somebody has stopped, or none at all, holds nobody up.
    program, *given = shlex.split(said)
    assert (program, given[0]) == ("-/usr/bin/timeout", "5")
    screen = tmp_path / "tty1"
    script = given[-1].replace("/dev/tty1", str(screen))
    subprocess.run([program.removeprefix("-"), *given[:-1], script], check=True)
    assert re.fullmatch(r"This device cannot start, .* its card must be replaced .*\.\n", screen.read_text("utf-8"))


def test_a_slot_is_marked_good_ever_more_slowly_and_not_where_it_can_never_be() -> None:
    text, renewal = render("update", "marquee-good.service.j2"), render("identity", "marquee-renewal.service.j2")
    assert (words(text, "Type"), words(text, "Restart")) == (["oneshot"], ["on-failure"])
    for key in ("RestartPreventExitStatus", "RestartSteps", "RestartMaxDelaySec", "StartLimitIntervalSec"):
        assert words(text, key) == words(renewal, key) != []


@pytest.mark.parametrize("name", ["attempt", "good", "unhealthy"])
def test_what_decides_about_slots_may_read_the_header_of_the_database_and_no_more_than_read(name: str) -> None:
    """It is root without any power over others' files, and that file is its owner's alone."""
    text = render("update", f"marquee-{name}.service.j2")
    assert words(text, "CapabilityBoundingSet") == ["", "CAP_DAC_READ_SEARCH"]
    assert not any("/var/lib/marquee" in each.split() for each in words(text, "ReadWritePaths"))


def test_the_end_of_the_log_is_kept_after_everybody_has_spoken() -> None:
    """Units stop in the reverse of the order in which they start: a trial's reason to give up is told before the ring is written."""
    text = render("base", "marquee-log-end.service.j2")
    assert {"marquee-log.service", "marquee-ready.service", "marquee-unhealthy.service"} <= set(
        words(text, "Before")[0].split()
    )
    assert words(text, "ExecStart") == []
    assert words(text, "ExecStop") == words(render("base", "marquee-log.service.j2"), "ExecStart")


def test_a_boot_is_judged_for_its_slot_once_it_is_known_which_slot_that_is() -> None:
    """What is on no slot's account, a radio that fails, must not reboot a box office that sells."""
    text = render("update", "marquee-ready.service.j2")
    assert "marquee-attempt.service" in words(text, "After")[0].split()
    (command,) = words(text, "ExecStart")
    assert command.split()[1:3] == ["ready", "--boot"]


@pytest.mark.parametrize(("role", "template"), PROCESSES)
def test_processes_come_back_are_bounded_and_wait_for_first_boot(role: str, template: str) -> None:
    text = render(role, template)
    assert words(text, "Restart") == ["always"]
    assert words(text, "StartLimitBurst")
    assert words(text, "MemoryMax")
    assert words(text, "TasksMax")
    assert "marquee-first-boot.service" in words(text, "After")[0].split()
    assert words(text, "User") == ["marquee"]


@pytest.mark.parametrize("template", [template for role, template in PROCESSES if role == "portal"])
def test_pages_have_no_network_and_no_device(template: str) -> None:
    text = render("portal", template)
    assert words(text, "PrivateNetwork") == ["yes"]
    assert words(text, "RestrictAddressFamilies") == ["AF_UNIX"]
    assert words(text, "IPAddressDeny") == ["any"]
    assert words(text, "PrivateDevices") == ["yes"]
    assert words(text, "DeviceAllow") == []


def test_the_desk_may_open_kinds_of_devices_and_nothing_else_in_dev() -> None:
    text = render("desk", "marquee-desk.service.j2")
    assert words(text, "DevicePolicy") == ["closed"]
    assert all(each.startswith("char-") and each.endswith(" rw") for each in words(text, "DeviceAllow"))
    assert set(words(text, "SupplementaryGroups")[0].split()) == {"lp", "plugdev", "dialout", "input", "video", "gpio"}


@pytest.mark.parametrize(("role", "template"), PROCESSES)
def test_what_the_clock_is_judged_by_may_be_read(role: str, template: str) -> None:
    # glibc asks for adjtimex by another name on 64-bit ARM; @system-service has neither.
    text = render(role, template)
    assert {"adjtimex", "clock_adjtime"} <= set(words(text, "SystemCallFilter")[-1].split())
    assert "yes" not in words(text, "ProtectClock")
    assert words(text, "ProcSubset") == [], "the board's serial number and the boot's id are read below /proc"


def test_no_prompt_takes_the_screen_from_what_says_what_is_missing() -> None:
    """Where one of the two starts the other does not: each asks for the opposite of what the other does."""
    screen = words(render("identity", "marquee-setup-screen.service.j2"), "ConditionPathExists")
    prompt = words(render("identity", "getty.conf.j2"), "ConditionPathExists")
    all_of = [each for each in screen if each != "/dev/tty1"]
    assert {f"|{each[1:]}" if each.startswith("!") else f"|!{each}" for each in all_of} == set(prompt)


OF_ROOT = [
    each
    for each in UNITS
    if each[0] in {"identity", "hotspot", "portal"}
    and words(render(*each), "User") in ([], ["root"], ["marquee", "root"])
]


def test_units_of_root_believe_nothing_that_our_processes_may_write() -> None:
    """Neither settings nor commands: only the modem's unit reads a device's own, of which two names of strict form come out."""
    assert ("identity", "marquee-first-boot.service.j2") in OF_ROOT
    for role, template in OF_ROOT:
        text = render(role, template)
        if template != "marquee-uplink-modem.service.j2":
            assert "/var/lib/marquee/device.toml" not in "".join(words(text, "Environment")), template
        assert not re.search(r"--file /var/lib/marquee/", text), template
        assert not re.search(r"CAP_(CHOWN|DAC_OVERRIDE|FOWNER)", text), template


def test_no_line_of_a_unit_is_run_outside_of_its_bounds() -> None:
    """``+`` gives all of root's rights, whatever the unit says. Kernel modules for RAUC, which names them, are the one exception."""
    for role, template in UNITS:
        assert not re.search(r"^Exec\w+=[-@:]*\+", render(role, template), re.MULTILINE), template


def test_the_log_is_read_by_who_keeps_it_and_changed_by_none_of_ours() -> None:
    """Journal and ring: their groups are the keeper's alone, and nobody else may write where they lie."""
    keepers = {"marquee-log.service.j2", "marquee-log-end.service.j2"}
    texts = {template: render(role, template) for role, template in UNITS}
    readers = {
        name for name, text in texts.items() if re.search(r"Groups=.*(systemd-journal|\badm\b|marquee-log)", text)
    }
    assert readers == keepers
    assert all(words(texts[name], "StateDirectoryMode") == ["0750"] for name in keepers)
    for name, text in texts.items():
        assert words(text, "ProtectSystem") in (["strict"], ["full"]), name
        places = " ".join(
            words(text, "ReadWritePaths") + words(text, "StateDirectory") + words(text, "LogsDirectory")
        ).split()
        near = {each.lstrip("-") for each in places} & {
            "/",
            "/var",
            "/var/lib",
            "/run",
            "/var/log",
            "/run/log",
            "/run/log/journal",
        }
        assert near == set(), name
        assert name in keepers or not any(
            each.startswith(("marquee-log", "/var/lib/marquee-log")) for each in places
        ), name
