"""Package sources of a build: the build host's own, for the image's release. None of them is written into the image."""

from __future__ import annotations

import re
from pathlib import Path

from image.errors import BuildError

RELEASE = "trixie"
# Of every board.
ARCHITECTURE = "arm64"
COMPONENTS = "main non-free-firmware"
APT = Path("/etc/apt")


def rendered(text: str, codename: str, components: str = COMPONENTS, release: str = RELEASE) -> str:
    """Return a host's deb822 sources for the image's release; the main archive also gets `-backports`.

    A paragraph that names other releases than the host's (a third party's) is left out.
    """
    made = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.+)$", paragraph, re.MULTILINE))
        suites = fields.get("Suites", "").split()
        ours = [each for each in suites if each == codename or each.startswith((f"{codename}-", f"{codename}/"))]
        if "deb" not in fields.get("Types", "").split() or not ours or ours != suites:
            continue
        wanted = [re.sub(rf"^{codename}\b", release, each) for each in ours]
        if codename in ours and f"{release}-backports" not in wanted:
            wanted.append(f"{release}-backports")
        kept = {key: fields[key] for key in ("URIs", "Signed-By") if key in fields}
        lines = {"Types": "deb", "URIs": kept.pop("URIs"), "Suites": " ".join(wanted), "Components": components, **kept}
        made.append("".join(f"{key}: {value}\n" for key, value in lines.items()))
    if not made:
        raise BuildError(f"This host's package sources name no {codename}; sources of Debian's own archive are needed.")
    return "\n".join(made)


def deb822(text: str) -> str:
    """Return sources of the one-line kind as paragraphs."""
    made = []
    for line in text.splitlines():
        match = re.match(
            r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<parts>.+)$", line.strip()
        )
        if match:
            signed = re.search(r"signed-by=(\S+)", match["options"] or "")
            end = f"\nSigned-By: {signed[1]}" if signed else ""
            made.append(
                f"Types: deb\nURIs: {match['uri']}\nSuites: {match['suite']}\nComponents: {match['parts']}{end}\n"
            )
    return "\n".join(made)


def of_host(apt: Path = APT, os_release: Path = Path("/etc/os-release")) -> str:
    """Return the sources for the image, from this host's."""
    here = re.search(r"^VERSION_CODENAME=(\w+)$", os_release.read_text(encoding="utf-8"), re.MULTILINE)
    if here is None:
        raise BuildError("This host is no Debian; its package sources cannot be used for the image.")
    new, old = apt / "sources.list.d" / "debian.sources", apt / "sources.list"
    text = new.read_text(encoding="utf-8") if new.exists() else deb822(old.read_text(encoding="utf-8"))
    return rendered(text, here[1])
