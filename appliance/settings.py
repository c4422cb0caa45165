"""All settings of a process, read once from TOML files and ``MARQUEE_*`` variables, then frozen.

A section is a frozen dataclass, a setting one of its fields; parsing, error messages and docs/settings.md all come from
``FIELDS``, so there is no second list to keep in step. Later files win over earlier ones, and variables over all of them:
``MARQUEE_BROKER_URL`` is ``broker.url``.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.proofs import mail_of

PREFIX = "MARQUEE_"
CONFIG_VARIABLE = "MARQUEE_CONFIG"
_Kind = Callable[[object], object]


class SettingsError(Exception):
    """Settings that cannot be used; ``problems`` names each key and what to write instead."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


# unix(7): sun_path holds 108 bytes.
_LONGEST_SOCKET = 100 + len("unix:")
# IEEE 802.11: an SSID has at most 32 octets.
WIFI_NAME_BYTES = 32
_ADDRESS = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})$")


def _text(raw: object) -> str:
    """Any text on one line."""
    if not isinstance(raw, str) or any(ord(char) < 0x20 for char in raw):
        raise ValueError("is not text on one line; write it in quotes")
    return raw


def _label(raw: object) -> str:
    """A short name that people see."""
    value = _text(raw).strip()
    if not 1 <= len(value) <= 40:
        raise ValueError("is not a label; write 1 to 40 characters")
    return value


def _name(raw: object) -> str:
    """A name that can stand in a topic."""
    try:
        return topics.checked(_text(raw), "name")
    except ValueError:
        raise ValueError(
            "is not a name; write 1 to 63 lower-case letters, digits, '.', '_' or '-', starting with a letter or digit"
        ) from None


def _name_or_empty(raw: object) -> str:
    """A name, or nothing."""
    return "" if raw == "" else _name(raw)


def _path(raw: object) -> Path:
    """A folder or file; ``~`` is the home folder."""
    value = _text(raw)
    if not value:
        raise ValueError("is empty; write the path of a folder")
    return Path(value).expanduser()


def _whole(low: int, high: int) -> _Kind:
    """A whole number from ``low`` to ``high``."""

    def read(raw: object) -> int:
        value = int(raw) if isinstance(raw, str) and re.fullmatch(r"-?\d{1,9}", raw) else raw
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"is not a whole number from {low} to {high}")
        return value

    return read


def _choice(*allowed: str) -> _Kind:
    """One of some words."""

    def read(raw: object) -> str:
        if not isinstance(raw, str) or raw not in allowed:
            raise ValueError(f"is not one of {', '.join(allowed)}")
        return raw

    return read


def _switch(raw: object) -> bool:
    """On or off."""
    words = {"true": True, "false": False}
    value = words.get(raw.lower()) if isinstance(raw, str) else raw
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")  # noqa: TRY004  a wrong value, not a bug
    return value


def _addresses(raw: object) -> tuple[str, ...]:
    """IP addresses joined by commas, or a list of them."""
    given = raw.split(",") if isinstance(raw, str) else raw
    try:
        return tuple(str(ip_address(_text(each).strip())) for each in cast(Iterable[object], given) if each)
    except (ValueError, TypeError):
        raise ValueError("is not a list of addresses; write 127.0.0.1,10.0.0.5") from None


def _address(raw: object) -> str:
    """``host:port``, with an IPv6 host in brackets."""
    value = _text(raw)
    found = _ADDRESS.match(value)
    if found is None or not 1 <= int(found["port"]) <= 65535:
        raise ValueError("is not an address; write host:port, such as 127.0.0.1:8080")
    return value


def _bind(raw: object) -> str:
    """``host:port``, or ``unix:`` and the absolute path of a socket."""
    value = _text(raw)
    if not value.startswith("unix:"):
        return _address(value)
    if not value.startswith("unix:/") or len(os.fsencode(value)) > _LONGEST_SOCKET:
        raise ValueError("is no socket; write unix: and an absolute path of at most 100 characters")
    return value


def _broker(raw: object) -> str:
    """``mqtt://host:port`` or ``mqtts://host:port``."""
    value = _text(raw)
    if not _url(value, {"mqtt", "mqtts"}):
        raise ValueError("is not a broker address; write mqtt://host:port, or mqtts://host:port for TLS")
    return value


def _web_or_empty(raw: object) -> str:
    """``http://host`` or ``https://host``, or nothing."""
    value = _text(raw)
    if value and not _url(value, {"http", "https"}):
        raise ValueError("is not a web address; write https://host or http://host:port")
    return value.rstrip("/")


def _https_or_empty(raw: object) -> str:
    """``https://host:port``, or nothing."""
    value = _text(raw)
    if value and not _url(value, {"https"}):
        raise ValueError("is not an address over HTTPS; write https://host:8443")
    return value.rstrip("/")


def _broker_or_empty(raw: object) -> str:
    """An address of a broker, or nothing."""
    return "" if raw == "" else _broker(raw)


def _hosts(raw: object) -> tuple[str, ...]:
    """Host names or addresses joined by commas, or a list of them."""
    given = raw.split(",") if isinstance(raw, str) else raw
    try:
        hosts = tuple(_text(each).strip() for each in cast(Iterable[object], given) if each)
    except (ValueError, TypeError):
        hosts = ("?",)
    if not all(re.fullmatch(r"[A-Za-z0-9.:-]{1,253}", each) for each in hosts):
        raise ValueError("is not a list of hosts; write cloud.example.org,10.0.0.5")
    return hosts


def _device_or_empty(raw: object) -> str:
    """The address of a driver such as ``sim://printer``, or nothing; the driver itself checks the rest."""
    value = _text(raw)
    if value and not re.match(r"^[a-z0-9+.-]+://", value):
        raise ValueError("is not a device address; write scheme://..., such as sim://printer or serial:///dev/ttyACM0")
    return value


def _found_or_device(raw: object) -> str:
    """The address of a driver, ``auto`` for what is plugged in, or nothing."""
    return "auto" if raw == "auto" else _device_or_empty(raw)


def _mail_server_or_empty(raw: object) -> str:
    """The address of a mail server, or nothing."""
    value = _text(raw)
    try:
        parts = urlsplit(value)
        fits = parts.scheme in {"smtp", "smtps", "smtp+plain"} and bool(parts.hostname) and parts.password is None
        fits = fits and parts.port != 0
    except ValueError:
        fits = False
    if value and not fits:
        raise ValueError(
            "is not a mail server; write smtp://user@host:587, smtps://user@host:465 or smtp+plain://host:25"
        )
    return value


def _mail_or_empty(raw: object) -> str:
    """An e-mail address, or nothing."""
    value = _text(raw)
    if value and mail_of(value) is None:
        raise ValueError("is not an e-mail address; write box-office@example.org")
    return value


def _public_key_or_empty(raw: object) -> str:
    """A raw Ed25519 public key in hex, or nothing."""
    value = _text(raw)
    if value and not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError("is not a public key; write the 64 hex digits that `marquee provision` printed")
    return value


def _country_or_empty(raw: object) -> str:
    """A country as its two letters (ISO 3166-1), or nothing."""
    value = _text(raw).strip().upper()
    if value and not re.fullmatch(r"[A-Z]{2}", value):
        raise ValueError("is not a country; write its two letters, such as DE or US")
    return value


def _wifi_name_or_empty(raw: object) -> str:
    """The name of a Wi-Fi (SSID): 1 to 32 bytes, or nothing."""
    value = _text(raw)
    if len(value.encode("utf-8", "surrogatepass")) > WIFI_NAME_BYTES:
        raise ValueError(f"is too long for the name of a Wi-Fi; write at most {WIFI_NAME_BYTES} bytes")
    return value


def _apn_or_empty(raw: object) -> str:
    """The access point name of a mobile network (3GPP TS 23.003), or nothing."""
    value = _text(raw)
    if not re.fullmatch(r"[A-Za-z0-9.-]{0,100}", value):
        raise ValueError("is not an APN; write what the operator of the SIM card says, such as internet")
    return value


def _url(value: str, schemes: set[str]) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False


def _setting(default: object, kind: Callable[[object], object], help: str) -> Any:
    return dataclasses.field(default=default, metadata={"kind": kind, "help": help})


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """Who this device is and where it keeps its files."""

    org: str = _setting("marquee", _name, "Organisation; the part of every topic that keeps two apart.")
    venue: str = _setting("", _name_or_empty, "Id of this device's venue in the catalogue.")
    name: str = _setting("", _name_or_empty, "Name of this device, unique in the organisation, e.g. `hall-1`.")
    data: Path = _setting(  # noqa: RUF009  a field, and a Path never changes
        Path("/var/lib/marquee"), _path, "Folder of database, keys and sockets; made with mode 0700."
    )

    board: str = _setting("", _text, "Fingerprint its database is bound to; default: serial numbers of board and card.")


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """The pages of attendees and staff."""

    bind: str = _setting("127.0.0.1:8080", _bind, "Where the portal listens: an address, or `unix:/path` for a proxy.")
    workers: int = _setting(1, _whole(1, 16), "Worker processes.")
    threads: int = _setting(16, _whole(1, 64), "Threads in each worker.")
    leases_file: str = _setting(
        "", _text, "Lease file of dnsmasq; tells phones apart on the hotspot. Empty: signed nonces."
    )
    behind_proxy: bool = _setting(False, _switch, "Whether exactly one proxy in front sets `X-Forwarded-*`.")
    metrics_from: tuple[str, ...] = _setting(
        ("127.0.0.1", "::1"), _addresses, "Addresses that may read /metrics, joined by commas."
    )
    public_url: str = _setting("", _web_or_empty, "Address people type; default: the one they called.")
    secure_url: str = _setting(
        "",
        _web_or_empty,
        "This portal's own address over HTTPS, e.g. `https://hall.example.org`; there pages have scripts. Empty: none.",
    )
    staff_bind: str = _setting(
        "127.0.0.1:8081",
        _bind,
        "Where `marquee portal --staff` listens: staff in a pool of their own behind the proxy.",
    )
    certificate: str = _setting("", _text, "PEM file of the certificate of `portal.secure_url`, as the proxy uses it.")
    captive_hours: int = _setting(
        12,
        _whole(1, 168),
        "How long a phone that was let in is not asked again: the life of a DHCP lease on the hotspot.",
    )
    styleguide: bool = _setting(
        default=False,
        kind=_switch,
        help="Show every part of the design system at `/styleguide`; the demo does, a venue has no need to.",
    )
    seen_socket: str = _setting(
        "",
        _text,
        "Socket on which the bridge hears from the proxy which pages were shown. Empty: the portal counts by itself.",
    )
    streams: int = _setting(
        4,
        _whole(0, 64),
        "Staff screens kept fresh at once in a worker; each holds a thread, together half of them at most.",
    )


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """The MQTT v5 broker, as a device and the cloud reach it."""

    url: str = _setting("mqtt://127.0.0.1:1883", _broker, "Broker: `mqtt://host:port`, or `mqtts://` with TLS.")
    ca: str = _setting("", _text, "PEM file of the authority that signed the broker's certificate.")
    certificate: str = _setting("", _text, "PEM file of this device's client certificate.")
    key: str = _setting("", _text, "PEM file of the certificate's private key, mode 0600.")
    username: str = _setting("", _text, "User name where the broker wants one.")
    password_file: str = _setting("", _text, "File whose first line is the password, mode 0600.")
    cloud_key: str = _setting("", _public_key_or_empty, "Public key (hex) that signs what the cloud sends.")


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """Hardware at the door; an empty address means there is none."""

    printer: str = _setting(
        "",
        _found_or_device,
        "Receipt printer, e.g. `escpos+tcp://192.168.4.9:9100`; `auto`: the one that is plugged in by USB.",
    )
    printer_2: str = _setting(
        "", _found_or_device, "Second printer, or `auto`: takes the jobs of which the first took no byte."
    )
    scanner: str = _setting(
        "", _found_or_device, "Code scanner, e.g. `serial:///dev/serial/by-id/...`; `auto`: what is plugged in by USB."
    )
    scanner_2: str = _setting("", _found_or_device, "Scanner of the second lane, or `auto`.")
    scanner_3: str = _setting("", _found_or_device, "Scanner of the third lane, a reader of badges, or `auto`.")
    camera: str = _setting(
        "", _found_or_device, "Camera, e.g. `picamera2://0`; `auto`: the one that is plugged in by USB."
    )
    hotspot: str = _setting(
        "", _device_or_empty, "Access point of the guests' Wi-Fi, e.g. `hostapd:///run/hostapd/wlan0`; shown to staff."
    )
    lamp: str = _setting("", _device_or_empty, "Lamp and buttons of the first lane, e.g. `gpio://?green=17&red=27`.")
    lamp_2: str = _setting("", _device_or_empty, "Lamp and buttons of the second lane.")
    modem: str = _setting(
        "", _device_or_empty, "Modem for text messages, e.g. `modemmanager://` or `at:///dev/ttyUSB2`."
    )
    lane: str = _setting("door", _label, "Name of the first lane in check-ins and on stubs.")
    lane_2: str = _setting("door 2", _label, "Name of the second lane.")
    lane_3: str = _setting("door 3", _label, "Name of the third lane.")
    messages_per_hour: int = _setting(30, _whole(0, 1000), "Text messages sent in an hour at most; 0 sends none.")
    photo_hours: int = _setting(
        24,
        _whole(1, 720),
        "Hours a guest's photo is kept after the end of its date, or after it was taken if that is later.",
    )


@dataclass(frozen=True, slots=True)
class HotspotSettings:
    """The guests' Wi-Fi of this device; what a fleet has in common is in ``base``."""

    base: str = _setting(
        "/etc/marquee/hostapd.conf", _text, "What hostapd is told on every device of the fleet; the role writes it."
    )
    country: str = _setting(
        "", _country_or_empty, "Country the device stands in, two letters; decides which channels may be used."
    )
    ssid: str = _setting(
        "", _wifi_name_or_empty, "Name of the Wi-Fi. Empty with the country: the device is not set up yet."
    )
    passphrase_file: str = _setting(
        "", _text, "File whose first line is the Wi-Fi's passphrase (8 to 63 characters), mode 0600. Empty: open."
    )
    channel: int = _setting(0, _whole(0, 196), "Channel of the Wi-Fi; 0 takes the fleet's.")
    stations: int = _setting(0, _whole(0, 2007), "Phones that may be on the Wi-Fi at once; 0 takes the fleet's number.")


@dataclass(frozen=True, slots=True)
class UplinkSettings:
    """Ways to the cloud beside a network cable and sticks that pass for one."""

    wifi_ssid: str = _setting("", _wifi_name_or_empty, "Name of a Wi-Fi that leads to the internet, on a second radio.")
    wifi_passphrase_file: str = _setting(
        "", _text, "File whose first line is that Wi-Fi's passphrase, mode 0600. Empty: open."
    )
    modem_apn: str = _setting("", _apn_or_empty, "Access point name of the SIM card. Empty: no mobile network is used.")


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """The reconciler's side; unused on a device."""

    database: str = _setting("", _text, "SQLAlchemy URL or SQLite path; default `cloud.db` in `device.data`.")
    key_file: str = _setting("", _text, "The cloud's private key (PEM); default `cloud.pem` in `device.data`.")
    fleet_log: str = _setting(
        "",
        _text,
        "File, apart from the database, that lists devices and seals; default `fleet.jsonl` in `device.data`.",
    )


@dataclass(frozen=True, slots=True)
class AuthoritySettings:
    """Who gives devices their certificates; a device knows its address alone."""

    url: str = _setting(
        "",
        _https_or_empty,
        "Address where devices enrol and renew their certificates, e.g. `https://cloud.example.org:8443`.",
    )
    bind: str = _setting("127.0.0.1:8443", _address, "Where `marquee authority` listens, with HTTPS of its own.")
    folder: str = _setting(
        "", _text, "Folder of its keys, certificates and revocation list; default `authority` in `device.data`."
    )
    hosts: tuple[str, ...] = _setting((), _hosts, "Further names and addresses of its HTTPS server, joined by commas.")
    broker_url: str = _setting(
        "", _broker_or_empty, "Broker as devices reach it, `mqtts://host:8883`; default: `broker.url`."
    )


@dataclass(frozen=True, slots=True)
class VerifierSettings:
    """What `marquee verifier` in the cloud needs to mail codes and to know members."""

    smtp: str = _setting(
        "",
        _mail_server_or_empty,
        "Mail server: `smtp://user@host:587` (STARTTLS), `smtps://user@host:465`, `smtp+plain://host:25`. Empty: no mail is sent.",
    )
    password_file: str = _setting("", _text, "File whose first line is the mail server's password, mode 0600.")
    sender: str = _setting("", _mail_or_empty, "Address that mails come from; needed with `verifier.smtp`.")
    page_url: str = _setting(
        "",
        _web_or_empty,
        "Address of the web shop; mails then carry a link to it that proves the contact. Empty: only a code.",
    )
    standing: str = _setting(
        "list", _text, "Who knows the members: `list` (see `marquee members`), or a plug-in's name."
    )
    mails_per_hour: int = _setting(500, _whole(1, 100_000), "Mails handed in within an hour at most.")


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """The operator's pages."""

    bind: str = _setting("127.0.0.1:8090", _address, "Address the console listens on.")


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """Whether the wall clock may be believed."""

    mode: str = _setting("auto", _choice("auto", "trusted", "untrusted"), "`auto` asks the kernel; the others decide.")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, to standard error."""

    level: str = _setting("info", _choice("debug", "info", "warning", "error"), "Least level that is written.")
    format: str = _setting("auto", _choice("auto", "json", "text"), "`auto`: text on a terminal, JSON lines elsewhere.")


@dataclass(frozen=True, slots=True)
class Settings:
    """Every section, with defaults for what was not set."""

    device: DeviceSettings = DeviceSettings()
    portal: PortalSettings = PortalSettings()
    broker: BrokerSettings = BrokerSettings()
    desk: DeskSettings = DeskSettings()
    hotspot: HotspotSettings = HotspotSettings()
    uplink: UplinkSettings = UplinkSettings()
    cloud: CloudSettings = CloudSettings()
    authority: AuthoritySettings = AuthoritySettings()
    verifier: VerifierSettings = VerifierSettings()
    console: ConsoleSettings = ConsoleSettings()
    clock: ClockSettings = ClockSettings()
    log: LogSettings = LogSettings()


@dataclass(frozen=True, slots=True)
class Field:
    """One setting: ``read`` turns a raw value into the typed one or raises ``ValueError`` saying what to write."""

    section: str
    name: str
    default: object
    read: Callable[[object], object]
    help: str

    @property
    def key(self) -> str:
        """The name in the file and in messages, e.g. ``broker.url``."""
        return f"{self.section}.{self.name}"

    @property
    def variable(self) -> str:
        """The environment variable that overrides the file."""
        return f"{PREFIX}{self.section}_{self.name}".upper()


def _fields() -> tuple[Field, ...]:
    return tuple(
        Field(section.name, each.name, each.default, each.metadata["kind"], each.metadata["help"])
        for section in dataclasses.fields(Settings)
        for each in dataclasses.fields(cast(Any, section.default))
    )


FIELDS = _fields()
_BY_KEY = {field.key: field for field in FIELDS}


def read_settings(path: Path | str | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the files (if any) and the environment; raises ``SettingsError`` with everything that is wrong at once.

    ``path`` may be several files joined by ``:``. The first must exist. A later one is a layer of its own, such as the one
    that a device writes when it is provisioned: where it is missing, the earlier ones speak alone.
    """
    variables = os.environ if environment is None else environment
    problems: list[str] = []
    given: dict[str, tuple[str, object]] = {}
    files = [Path(each) for each in str(path or variables.get(CONFIG_VARIABLE, "")).split(os.pathsep) if each]
    for number, file in enumerate(files):
        if number == 0 or _exists(file, problems):
            given |= _from_file(file, problems, f" (from {file})" if len(files) > 1 else "")
    given |= _from_environment(variables, problems)
    values = {key: _value(_BY_KEY[key], origin, raw, problems) for key, (origin, raw) in given.items()}
    if problems:
        raise SettingsError(problems)
    return _assemble(values)


def _value(field: Field, origin: str, raw: object, problems: list[str]) -> object:
    try:
        return field.read(raw)
    except ValueError as error:
        shown = repr(raw) if len(repr(raw)) <= 80 else repr(raw)[:77] + "..."
        problems.append(f"{origin}: {shown} {error}")
        return field.default


def _assemble(values: Mapping[str, object]) -> Settings:
    sections = {}
    for section in dataclasses.fields(Settings):
        mine = {
            field.name: values[field.key] for field in FIELDS if field.section == section.name and field.key in values
        }
        sections[section.name] = dataclasses.replace(cast(Any, section.default), **mine)
    return Settings(**sections)


def _exists(file: Path, problems: list[str]) -> bool:
    """Whether a later layer is there; one in a folder that this user may not enter is a problem, not a missing file."""
    try:
        file.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        problems.append(f"{file}: cannot be read ({error.strerror}); run this as the user it belongs to")
        return False
    return True


def _from_file(path: Path, problems: list[str], source: str) -> dict[str, tuple[str, object]]:
    """Return key -> (how messages name it, raw value); ``source`` says which file, where there are several."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror}); name a file that exists with --config")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: is not TOML: {error}")
        return {}
    given: dict[str, tuple[str, object]] = {}
    for section, content in document.items():
        if not isinstance(content, dict):
            problems.append(f"{section}{source}: is not a section; write [{section}] and key = value below it")
            continue
        for name, raw in content.items():
            key = f"{section}.{name}"
            if key in _BY_KEY:
                given[key] = (f"{key}{source}", raw)
            else:
                problems.append(f"{key}{source}: is not a setting; {_nearest(key, list(_BY_KEY))}")
    return given


def _from_environment(variables: Mapping[str, str], problems: list[str]) -> dict[str, tuple[str, object]]:
    known = {field.variable: field for field in FIELDS}
    given: dict[str, tuple[str, object]] = {}
    for variable, raw in sorted(variables.items()):
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if variable in known:
            given[known[variable].key] = (f"{known[variable].key} (from {variable})", raw)
        elif _meant_as_setting(variable, known):
            problems.append(f"{variable}: is not a setting; {_nearest(variable, list(known))}")
    return given


def _meant_as_setting(variable: str, known: Iterable[str]) -> bool:
    """Tools around Marquee have variables too; one of a section's, or nearly the name of a setting, is a slip."""
    word = variable.removeprefix(PREFIX)
    names = [each.removeprefix(PREFIX) for each in known]
    in_section = any(word.startswith(f"{section.name.upper()}_") for section in dataclasses.fields(Settings))
    return in_section or bool(difflib.get_close_matches(word, names, n=1, cutoff=0.8))


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else "see `marquee settings` for those there are"


def as_markdown() -> str:
    """Return the table of docs/settings.md."""
    rows = ["| setting | default | meaning |", "|---|---|---|"]
    rows += [f"| `{field.key}` | {_shown(field.default)} | {field.help} |" for field in FIELDS]
    return "\n".join(rows) + "\n"


def _shown(default: object) -> str:
    text = (
        ",".join(default)
        if isinstance(default, tuple)
        else str(default).lower()
        if isinstance(default, bool)
        else str(default)
    )
    return f"`{text}`" if text else "(none)"
