"""Which checks there are; one that breaks is a finding like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from appliance.doctor import cloud, device, enrolment, filesystem, networks, surroundings
from appliance.doctor import slot as slots
from appliance.doctor.findings import Finding, fail, ok
from appliance.services.setting_up import read_setup
from appliance.settings import Settings

Check = Callable[[Settings], Iterable[Finding]]

EVERYWHERE: tuple[tuple[str, Check], ...] = (
    ("disk", surroundings.disk),
    ("clock", surroundings.clock),
    ("broker", surroundings.broker),
    ("keys", surroundings.keys),
    ("certificate", surroundings.certificate),
    ("slot", slots.slot),
)
OF_A_DEVICE: tuple[tuple[str, Check], ...] = (
    ("enrolment", enrolment.device),
    ("file system", filesystem.filesystem),
    ("database", device.database),
    ("catalogue", device.catalogue),
    ("link", device.link),
    ("network", networks.uplinks),
    ("devices", device.hardware),
    ("spool", device.spool),
)
OF_THE_CLOUD: tuple[tuple[str, Check], ...] = (
    ("database", cloud.database),
    ("catalogue", cloud.catalogue),
    ("alarms", cloud.alarms),
    ("fleet", cloud.fleet),
    ("copies", cloud.copies),
    ("authority", enrolment.authority),
    ("phones", enrolment.handed_out),
    ("verifier", enrolment.verifier),
)


def examine(settings: Settings) -> Iterator[Finding]:
    """Run every check that fits this machine: a device is one that has a name, a cloud one that has a database of its own."""
    is_device, is_cloud = bool(settings.device.name), cloud.is_here(settings)
    if is_device:
        yield ok(
            "settings",
            f"device {settings.device.name} of venue {settings.device.venue or '(none)'}, {settings.device.data}",
        )
    elif is_cloud:
        yield ok("settings", f"the cloud of {settings.device.org}, {settings.device.data}")
    elif read_setup(settings.device.data) is not None:
        yield from guarded("enrolment", partial(enrolment.device, settings))
        return
    else:
        yield fail(
            "settings",
            f"no device is named and there is no cloud in {settings.device.data}",
            "Give the settings file with --config, or set device.name and device.venue.",
        )
        return
    checks = (*EVERYWHERE, *(OF_A_DEVICE if is_device else ()), *(OF_THE_CLOUD if is_cloud else ()))
    for name, check in checks:
        yield from guarded(name, partial(check, settings))


def guarded(name: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What a check finds; a doctor that dies of what it looks at helps nobody."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001  see above
        yield fail(
            name,
            f"could not be looked at: {type(error).__name__}: {error}",
            "See the line above it, or run as the service's user.",
        )
