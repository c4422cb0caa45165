"""Every setting there is: a section is a frozen dataclass, a setting one of its fields with its kind and its sentence of docs/settings.md."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from appliance.settings import kinds


def _setting(default: object, kind: kinds.Kind, help: str) -> Any:
    return dataclasses.field(default=default, metadata={"kind": kind, "help": help})


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """Who this device is and where it keeps its files."""

    org: str = _setting("marquee", kinds.name, "Organisation; the part of every topic that keeps two apart.")
    venue: str = _setting("", kinds.name_or_empty, "Id of this device's venue in the catalogue.")
    name: str = _setting("", kinds.name_or_empty, "Name of this device, unique in the organisation, e.g. `hall-1`.")
    data: Path = _setting(  # noqa: RUF009  a field, and a Path never changes
        Path("/var/lib/marquee"), kinds.path, "Folder of database, keys and sockets; made with mode 0700."
    )

    board: str = _setting(
        "", kinds.text, "Fingerprint its database is bound to; default: serial numbers of board and card."
    )


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """The pages of attendees and staff."""

    bind: str = _setting(
        "127.0.0.1:8080", kinds.bind, "Where the portal listens: an address, or `unix:/path` for a proxy."
    )
    workers: int = _setting(1, kinds.whole(1, 16), "Worker processes.")
    threads: int = _setting(16, kinds.whole(1, 64), "Threads in each worker.")
    leases_file: str = _setting(
        "", kinds.text, "Lease file of dnsmasq; tells phones apart on the hotspot. Empty: signed nonces."
    )
    behind_proxy: bool = _setting(False, kinds.switch, "Whether exactly one proxy in front sets `X-Forwarded-*`.")
    metrics_from: tuple[str, ...] = _setting(
        ("127.0.0.1", "::1"), kinds.addresses, "Addresses that may read /metrics, joined by commas."
    )
    public_url: str = _setting("", kinds.web_or_empty, "Address people type; default: the one they called.")
    secure_url: str = _setting(
        "",
        kinds.web_or_empty,
        "This portal's own address over HTTPS, e.g. `https://hall.example.org`; there pages have scripts. Empty: none.",
    )
    staff_bind: str = _setting(
        "127.0.0.1:8081",
        kinds.bind,
        "Where `marquee portal --staff` listens: staff in a pool of their own behind the proxy.",
    )
    certificate: str = _setting(
        "", kinds.text, "PEM file of the certificate of `portal.secure_url`, as the proxy uses it."
    )
    handed_folder: str = _setting(
        "",
        kinds.text,
        "Folder in which a certificate that the cloud hands out is kept for the proxy, as `<name>.pem`. Empty: none is asked for.",
    )
    captive_hours: int = _setting(
        12,
        kinds.whole(1, 168),
        "How long a phone that was let in is not asked again, whatever address it has meanwhile.",
    )
    styleguide: bool = _setting(
        default=False,
        kind=kinds.switch,
        help="Show every part of the design system at `/styleguide`; the demo does, a venue has no need to.",
    )
    seen_socket: str = _setting(
        "",
        kinds.text,
        "Socket on which the bridge hears from the proxy which pages were shown. Empty: the portal counts by itself.",
    )
    streams: int = _setting(
        4,
        kinds.whole(0, 64),
        "Staff screens kept fresh at once in a worker; each holds a thread, together half of them at most.",
    )


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """The MQTT v5 broker, as a device and the cloud reach it."""

    url: str = _setting("mqtt://127.0.0.1:1883", kinds.broker, "Broker: `mqtt://host:port`, or `mqtts://` with TLS.")
    urls_before: tuple[str, ...] = _setting(
        (),
        kinds.brokers,
        "Addresses that the same broker had before, joined by commas, which a device tries in turn where `broker.url` does not answer; a renewal of its certificate writes them.",
    )
    ca: str = _setting("", kinds.text, "PEM file of the authority that signed the broker's certificate.")
    certificate: str = _setting("", kinds.text, "PEM file of this device's client certificate.")
    key: str = _setting("", kinds.text, "PEM file of the certificate's private key, mode 0600.")
    username: str = _setting("", kinds.text, "User name where the broker wants one.")
    password_file: str = _setting("", kinds.text, "File whose first line is the password, mode 0600.")
    cloud_key: str = _setting("", kinds.public_key_or_empty, "Public key (hex) that signs what the cloud sends.")


@dataclass(frozen=True, slots=True)
class DeskSettings:
    """Hardware at the door; an empty address means there is none."""

    printer: str = _setting(
        "",
        kinds.found_or_device,
        "Receipt printer, e.g. `escpos+tcp://192.168.4.9:9100`; `auto`: the one that is plugged in by USB.",
    )
    printer_2: str = _setting(
        "", kinds.found_or_device, "Second printer, or `auto`: takes the jobs of which the first took no byte."
    )
    scanner: str = _setting(
        "",
        kinds.found_or_device,
        "Code scanner, e.g. `serial:///dev/serial/by-id/...`; `auto`: what is plugged in by USB.",
    )
    scanner_2: str = _setting("", kinds.found_or_device, "Scanner of the second lane, or `auto`.")
    scanner_3: str = _setting("", kinds.found_or_device, "Scanner of the third lane, a reader of badges, or `auto`.")
    camera: str = _setting(
        "", kinds.found_or_device, "Camera, e.g. `picamera2://0`; `auto`: the one that is plugged in by USB."
    )
    hotspot: str = _setting(
        "",
        kinds.device_or_empty,
        "Access point of the guests' Wi-Fi, e.g. `hostapd:///run/hostapd/wlan0`; shown to staff.",
    )
    lamp: str = _setting(
        "", kinds.device_or_empty, "Lamp and buttons of the first lane, e.g. `gpio://?green=17&red=27`."
    )
    lamp_2: str = _setting("", kinds.device_or_empty, "Lamp and buttons of the second lane.")
    modem: str = _setting(
        "", kinds.device_or_empty, "Modem for text messages, e.g. `modemmanager://` or `at:///dev/ttyUSB2`."
    )
    lane: str = _setting("door", kinds.label, "Name of the first lane in check-ins and on stubs.")
    lane_2: str = _setting("door 2", kinds.label, "Name of the second lane.")
    lane_3: str = _setting("door 3", kinds.label, "Name of the third lane.")
    messages_per_hour: int = _setting(30, kinds.whole(0, 1000), "Text messages sent in an hour at most; 0 sends none.")
    photo_hours: int = _setting(
        24,
        kinds.whole(1, 720),
        "Hours a guest's photo is kept after the end of its date, or after it was taken if that is later.",
    )


@dataclass(frozen=True, slots=True)
class HotspotSettings:
    """The guests' Wi-Fi of this device; what a fleet has in common is in ``base``."""

    base: str = _setting(
        "/etc/marquee/hostapd.conf",
        kinds.text,
        "What hostapd is told on every device of the fleet; the role writes it.",
    )
    country: str = _setting(
        "", kinds.country_or_empty, "Country the device stands in, two letters; decides which channels may be used."
    )
    ssid: str = _setting(
        "", kinds.wifi_name_or_empty, "Name of the Wi-Fi. Empty with the country: the device is not set up yet."
    )
    passphrase_file: str = _setting(
        "", kinds.text, "File whose first line is the Wi-Fi's passphrase (8 to 63 characters), mode 0600. Empty: open."
    )
    channel: int = _setting(0, kinds.whole(0, 196), "Channel of the Wi-Fi; 0 takes the fleet's.")
    stations: int = _setting(
        0, kinds.whole(0, 2007), "Phones that may be on the Wi-Fi at once; 0 takes the fleet's number."
    )


@dataclass(frozen=True, slots=True)
class UplinkSettings:
    """Ways to the cloud beside a network cable and sticks that pass for one."""

    wifi_ssid: str = _setting(
        "", kinds.wifi_name_or_empty, "Name of a Wi-Fi that leads to the internet, on a second radio."
    )
    wifi_passphrase_file: str = _setting(
        "", kinds.text, "File whose first line is that Wi-Fi's passphrase, mode 0600. Empty: open."
    )
    modem_apn: str = _setting(
        "", kinds.apn_or_empty, "Access point name of the SIM card. Empty: no mobile network is used."
    )


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """The reconciler's side; unused on a device."""

    database: str = _setting("", kinds.text, "SQLAlchemy URL or SQLite path; default `cloud.db` in `device.data`.")
    key_file: str = _setting("", kinds.text, "The cloud's private key (PEM); default `cloud.pem` in `device.data`.")
    fleet_log: str = _setting(
        "",
        kinds.text,
        "File, apart from the database, that lists devices and seals; default `fleet.jsonl` in `device.data`.",
    )
    copied: str = _setting(
        "",
        kinds.text,
        "File that is written behind each good copy of the cloud; doctor and console warn when it is older than a day. Empty: nobody looks.",
    )


@dataclass(frozen=True, slots=True)
class AuthoritySettings:
    """Who gives devices their certificates; a device knows its address alone."""

    url: str = _setting(
        "",
        kinds.https_or_empty,
        "Address where devices enrol and renew their certificates, e.g. `https://cloud.example.org:8443`.",
    )
    bind: str = _setting("127.0.0.1:8443", kinds.address, "Where `marquee authority` listens, with HTTPS of its own.")
    folder: str = _setting(
        "", kinds.text, "Folder of its keys, certificates and revocation list; default `authority` in `device.data`."
    )
    hosts: tuple[str, ...] = _setting(
        (),
        kinds.hosts,
        "Further names and addresses of its HTTPS server and of the broker, joined by commas; both certificates are for them.",
    )
    broker_url: str = _setting(
        "", kinds.broker_or_empty, "Broker as devices reach it, `mqtts://host:8883`; default: `broker.url`."
    )
    portal_name: str = _setting(
        "",
        kinds.public_name_or_empty,
        "Name under which phones find portals over HTTPS, e.g. `*.tickets.example.org`, where the star stands for each device's name; devices are handed the certificate for it.",
    )
    portal_certificate: str = _setting(
        "",
        kinds.text,
        "PEM file of that certificate, followed by those that vouch for it; read whenever a device asks.",
    )
    portal_key: str = _setting(
        "", kinds.text, "PEM file of its private key, readable by the authority alone; devices are handed it too."
    )


@dataclass(frozen=True, slots=True)
class VerifierSettings:
    """What `marquee verifier` in the cloud needs to mail codes and to know members."""

    smtp: str = _setting(
        "",
        kinds.mail_server_or_empty,
        "Mail server: `smtp://user@host:587` (STARTTLS), `smtps://user@host:465`, `smtp+plain://host:25`. Empty: no mail is sent.",
    )
    password_file: str = _setting("", kinds.text, "File whose first line is the mail server's password, mode 0600.")
    sender: str = _setting("", kinds.mail_or_empty, "Address that mails come from; needed with `verifier.smtp`.")
    page_url: str = _setting(
        "",
        kinds.web_or_empty,
        "Address of the web shop; mails then carry a link to it that proves the contact. Empty: only a code.",
    )
    standing: str = _setting(
        "list", kinds.text, "Who knows the members: `list` (see `marquee members`), or a plug-in's name."
    )
    mails_per_hour: int = _setting(500, kinds.whole(1, 100_000), "Mails handed in within an hour at most.")


@dataclass(frozen=True, slots=True)
class ConsoleSettings:
    """The operator's pages."""

    bind: str = _setting("127.0.0.1:8090", kinds.address, "Address the console listens on.")


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """Whether the wall clock may be believed."""

    mode: Literal["auto", "trusted", "untrusted"] = _setting(
        "auto", kinds.choice("auto", "trusted", "untrusted"), "`auto` asks the kernel; the others decide."
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, to standard error."""

    level: str = _setting("info", kinds.choice("debug", "info", "warning", "error"), "Least level that is written.")
    format: str = _setting(
        "auto", kinds.choice("auto", "json", "text"), "`auto`: text on a terminal, JSON lines elsewhere."
    )


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
