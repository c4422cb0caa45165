"""What is inside an image: Debian's packages and Python's, with versions and licences as far as they are declared."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

STATUS = "var/lib/dpkg/status"
WHEELS = "usr/lib/marquee/lib/python3.*/site-packages/*.dist-info/METADATA"
_NAMESPACE = uuid.UUID("6d617271-7565-4e0a-8f3d-000000000001")
_INSTALLED = "install ok installed"


@dataclass(frozen=True, order=True)
class Component:
    """A package: ``kind`` is `deb` or `pypi`; ``licences`` are names as the package declares them, none where it does not say."""

    kind: str
    name: str
    version: str
    architecture: str = ""
    licences: tuple[str, ...] = ()

    @property
    def purl(self) -> str:
        """The package's address as a package URL."""
        version = quote(self.version, safe="~")
        if self.kind == "deb":
            return f"pkg:deb/debian/{quote(self.name, safe='')}@{version}?arch={self.architecture}&distro=trixie"
        return f"pkg:pypi/{re.sub(r'[-_.]+', '-', self.name).lower()}@{version}"


def found(tree: Path) -> list[Component]:
    """Return all packages of an unpacked root, sorted."""
    return sorted([*debian(tree), *python(tree)])


def debian(tree: Path) -> list[Component]:
    """Return Debian's packages."""
    made = []
    for paragraph in (tree / STATUS).read_text(encoding="utf-8").split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") == _INSTALLED:
            name = fields["Package"]
            text = _text(tree / "usr/share/doc" / name / "copyright")
            made.append(Component("deb", name, fields["Version"], fields["Architecture"], declared(text)))
    return made


def python(tree: Path) -> list[Component]:
    """Return Python packages of the program's own environment."""
    made = []
    for path in sorted(tree.glob(WHEELS)):
        fields = HeaderParser().parsestr(_text(path), headersonly=True)
        licence = fields["License-Expression"] or fields["License"] or ""
        kinds = [
            each.rpartition(" :: ")[2] for each in fields.get_all("Classifier", []) if each.startswith("License ::")
        ]
        # A whole licence as the field's text names nothing.
        names = (licence,) if licence and "\n" not in licence and len(licence) < 80 else tuple(sorted(set(kinds)))
        made.append(Component("pypi", fields["Name"], fields["Version"], licences=names))
    return made


def declared(copyright_file: str) -> tuple[str, ...]:
    """Return the short names of licences in a machine-readable copyright file; none for one in prose."""
    if not copyright_file.startswith("Format:"):
        return ()
    names = re.findall(r"^License:[ \t]*(\S.*?)\s*$", copyright_file, re.MULTILINE)
    return tuple(sorted({re.sub(r"\s+", " ", name) for name in names}))


def listing(components: Iterable[Component]) -> str:
    """Return the list for people: one package a line."""
    return "".join(f"{each.kind}\t{each.name}\t{each.version}\t{each.architecture or '-'}\n" for each in components)


def bill(components: Sequence[Component], name: str, version: str, epoch: int) -> str:
    """Return a CycloneDX 1.6 document, equal for equal components, version and time."""
    serial = uuid.uuid5(_NAMESPACE, "\n".join([name, version, listing(components)]))
    document: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "firmware", "bom-ref": name, "name": name, "version": version},
        },
        "components": [_component(each) for each in components],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _component(each: Component) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": each.purl,
        "name": each.name,
        "version": each.version,
        "purl": each.purl,
    }
    if each.licences:
        made["licenses"] = [{"license": {"name": licence}} for licence in each.licences]
    return made


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
