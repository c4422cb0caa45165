"""Device addresses such as `escpos+tcp://10.0.0.9:9100?profile=TM-T20II&timeout=2`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import parse_qsl, unquote, urlsplit

from drivers.errors import BadDeviceUrl

MAX_URL_CHARS = 2048


@dataclass(frozen=True, slots=True)
class DeviceUrl:
    """A parsed address: `path` is unquoted and keeps its leading slash, `options` hold the query."""

    text: str
    scheme: str
    host: str
    port: int | None
    path: str
    options: Mapping[str, str]

    def check_options(self, known: Iterable[str]) -> None:
        """Raise `BadDeviceUrl` naming the first option that is not in `known`."""
        names = sorted(known)
        for name in self.options:
            if name not in names:
                listed = ", ".join(names) if names else "none"
                raise BadDeviceUrl(f"Unknown option {name!r} in {self.text!r}; known options: {listed}.")

    def text_option(self, name: str, default: str) -> str:
        """The option as it stands."""
        return self.options.get(name, default)

    def number(self, name: str, default: float, *, low: float, high: float) -> float:
        """The option as a number within `low..high`."""
        return self._convert(name, default, float, low, high)

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        """The option as a whole number within `low..high`."""
        return int(self._convert(name, default, int, low, high))

    def choice(self, name: str, default: str, allowed: Iterable[str]) -> str:
        """The option, which must be one of `allowed`."""
        value = self.options.get(name, default)
        names = list(allowed)
        if value not in names:
            raise BadDeviceUrl(f"Option {name!r} in {self.text!r} is {value!r}; it must be one of: {', '.join(names)}.")
        return value

    def _convert(self, name: str, default: float, kind: Callable[[str], float], low: float, high: float) -> float:
        raw = self.options.get(name)
        if raw is None:
            return default
        try:
            value = kind(raw)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise BadDeviceUrl(
                f"Option {name!r} in {self.text!r} is {raw!r}; it must be a number from {low:g} to {high:g}."
            )
        return value


def parse(text: str) -> DeviceUrl:
    """Split a device address; raises `BadDeviceUrl` with what is wrong."""
    if len(text) > MAX_URL_CHARS or any(ord(char) < 0x20 for char in text):
        raise BadDeviceUrl("A device address is too long or contains control characters.")
    try:
        parts = urlsplit(text)
        # A USB address has maker:product where others have host:port.
        is_usb = parts.scheme.endswith("+usb")
        port = None if is_usb else parts.port
    except ValueError as error:
        raise BadDeviceUrl(f"Cannot read the device address {text!r}: {error}.") from None
    if not parts.scheme or "://" not in text:
        raise BadDeviceUrl(f"The device address {text!r} has no scheme, such as 'sim://printer'.")
    if parts.username is not None or parts.fragment:
        raise BadDeviceUrl(f"The device address of scheme {parts.scheme!r} must not carry a user name or a '#'.")
    options = _options(text, parts.query)
    host = parts.netloc.lower() if is_usb else parts.hostname or ""
    return DeviceUrl(text, parts.scheme, host, port, unquote(parts.path), options)


def _options(text: str, query: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise BadDeviceUrl(f"The options of {text!r} are not name=value pairs joined by '&'.") from None
    options: dict[str, str] = {}
    for name, value in pairs:
        if name in options:
            raise BadDeviceUrl(f"Option {name!r} appears twice in {text!r}.")
        options[name] = value
    return MappingProxyType(options)
