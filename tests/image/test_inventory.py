"""The list of what is inside, held against the rules of CycloneDX 1.6 that others' readers rely on."""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from image import inventory

PURL = re.compile(
    r"pkg:(deb/debian/(?:[a-z0-9.-]|%[0-9A-F]{2})+@[\w.%~+-]+\?arch=(arm64|all)&distro=trixie|pypi/[a-z0-9-]+@[\w.!+-]+)"
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    status = tmp_path / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(
        "Package: libc6\nStatus: install ok installed\nArchitecture: arm64\nVersion: 2.41-12+deb13u1\nDescription: C\n more: x\n\n"
        "Package: tzdata\nStatus: install ok installed\nArchitecture: all\nVersion: 1:2025b~rc-4\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n"
    )
    doc = tmp_path / "usr/share/doc/libc6/copyright"
    doc.parent.mkdir(parents=True)
    doc.write_text("Format: https://www.debian.org/\n\nFiles: *\nLicense: LGPL-2.1+\n text\n\nFiles: x\nLicense: BSD\n")
    wheels = tmp_path / "usr/lib/marquee/lib/python3.13/site-packages"
    for name, licence in (("ruamel.yaml", "License: MIT"), ("Flask", "License-Expression: BSD-3-Clause")):
        metadata = wheels / f"{name}-3.1.dist-info/METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 3.1\n{licence}\n\nbody: text\n")
    return tmp_path


def mistakes(document: dict[str, Any]) -> list[str]:
    """What a reader of CycloneDX 1.6 would not accept (https://cyclonedx.org/docs/1.6/json/)."""
    wrong = []
    if (document.get("bomFormat"), document.get("specVersion"), document.get("version")) != ("CycloneDX", "1.6", 1):
        wrong.append("it does not say what it is")
    if uuid.UUID(str(document.get("serialNumber", "")).removeprefix("urn:uuid:")).version != 5:
        wrong.append("its number is not made of its content")
    datetime.strptime(document["metadata"]["timestamp"], "%Y-%m-%dT%H:%M:%S%z")
    everything = [document["metadata"]["component"], *document["components"]]
    references = [each["bom-ref"] for each in everything]
    if len(references) != len(set(references)):
        wrong.append("two components have one reference")
    for each in everything:
        if each["type"] not in {"firmware", "library"} or not each["name"] or not each["version"]:
            wrong.append(f"{each['bom-ref']} lacks type, name or version")
        if "purl" in each and not PURL.fullmatch(each["purl"]):
            wrong.append(f"{each['purl']} is no package URL")
        licences = each.get("licenses", [])
        if any(set(one) != {"license"} or not one["license"].get("name") for one in licences):
            wrong.append(f"{each['bom-ref']} has a licence without a name")
        if set(each) - {"type", "bom-ref", "name", "version", "purl", "licenses"}:
            wrong.append(f"{each['bom-ref']} has an unknown key")
    return wrong


def test_installed_packages_and_wheels_are_listed_with_their_licences(tree):
    assert [(each.kind, each.name, each.version, each.licences) for each in inventory.found(tree)] == [
        ("deb", "libc6", "2.41-12+deb13u1", ("BSD", "LGPL-2.1+")),
        ("deb", "tzdata", "1:2025b~rc-4", ()),
        ("pypi", "Flask", "3.1", ("BSD-3-Clause",)),
        ("pypi", "ruamel.yaml", "3.1", ("MIT",)),
    ]


def test_the_bill_of_materials_is_what_readers_expect(tree):
    document = json.loads(inventory.bill(inventory.found(tree), "marquee-pi4-pi5", "0.1.0", 1764000000))
    assert mistakes(document) == []
    assert [each["purl"] for each in document["components"]] == [
        "pkg:deb/debian/libc6@2.41-12%2Bdeb13u1?arch=arm64&distro=trixie",
        "pkg:deb/debian/tzdata@1%3A2025b~rc-4?arch=all&distro=trixie",
        "pkg:pypi/flask@3.1",
        "pkg:pypi/ruamel-yaml@3.1",
    ]


def test_the_check_sees_mistakes(tree):
    document = json.loads(inventory.bill(inventory.found(tree), "marquee", "0.1.0", 0))
    document["components"].append({**document["components"][0], "purl": "pkg:deb/nothing", "colour": "red"})
    document["specVersion"] = "1.4"
    assert len(mistakes(document)) == 4


def test_equal_contents_make_an_equal_bill_and_others_another(tree):
    found = inventory.found(tree)
    assert inventory.bill(found, "a", "1", 0) == inventory.bill(found, "a", "1", 0)
    assert inventory.bill(found, "a", "1", 0) != inventory.bill(found[1:], "a", "1", 0)


@pytest.mark.parametrize("text", ["", "This is free software, see below.\nLicense: none of the format\n"])
def test_a_licence_in_prose_is_not_guessed(text):
    assert inventory.declared(text) == ()
