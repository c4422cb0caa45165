"""Debian's packages with a patch of ours: built from the release's own source for the board's processor, by the build host's own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from image import keys
from image.layers import Layer
from image.run import Programs
from image.sources import ARCHITECTURE, RELEASE

PATCHES = Path(__file__).parent / "patches"
# Behind the version of Debian's package, so that the next one of Debian is newer.
SUFFIX = "+marquee1"
_PACKAGES = ("build-essential", "debhelper", "dpkg-dev", "patch")
_CROSS = f"crossbuild-essential-{ARCHITECTURE}"
_PLACE = "/src"
# Tests and manuals of the package are Debian's affair and would need as many packages again.
_LEFT_OUT = "nocheck,nodoc"
_BUILD = """\
set -eu
cd {place}
apt-get -q source {source}
cd {source}-*/
for each in {patches}; do patch -p1 <"{place}/$each"; done
version=$(dpkg-parsechangelog -S Version) when=$(dpkg-parsechangelog -S Date)
printf '{source} (%s{suffix}) {release}; urgency=medium\\n\\n  * %s\\n\\n -- Marquee <root@localhost>  %s\\n\\n' "$version" "{patches}" "$when" |
    cat - debian/changelog >changelog.new
mv changelog.new debian/changelog
export DEBIAN_FRONTEND=noninteractive
apt-get -q -y --no-install-recommends build-dep {host} -P {profiles} --arch-only ./
DEB_BUILD_OPTIONS="nocheck nodoc noautodbgsym parallel={processors}" dpkg-buildpackage -b -uc -us {host} -P{profiles}
"""


def named(layers: Sequence[Layer]) -> dict[str, tuple[str, ...]]:
    """Return source package -> names of its patches."""
    return {source: patches for layer in layers for source, patches in sorted(layer.patched.items())}


def digests(patches: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the digest of every patch, for a step's key."""
    return keys.of_files([PATCHES / name for names in patches.values() for name in names], PATCHES)


def script(source: str, patches: Iterable[str], architecture: str, processors: int) -> str:
    """Return what is run inside: the package's source, our patches, a version of its own, and the build.

    ``architecture`` is the build host's, by Debian's name; another than the board's needs a cross compiler, no emulator.
    """
    foreign = architecture != ARCHITECTURE
    return _BUILD.format(
        place=_PLACE, source=source, patches=" ".join(patches), suffix=SUFFIX, release=RELEASE, processors=processors,
        host=f"-a{ARCHITECTURE}" if foreign else "", profiles=f"cross,{_LEFT_OUT}" if foreign else _LEFT_OUT,
    )  # fmt: skip


def make(work: Path, programs: Programs, sources: str, patches: Mapping[str, Sequence[str]]) -> None:
    """Leave all built packages in ``work``."""
    here = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    foreign = here != ARCHITECTURE
    listed = work / "patched.sources"
    listed.write_text(sources.replace("Types: deb\n", "Types: deb deb-src\n"))
    hook = ["set -eu", f'mkdir "$1{_PLACE}"']
    for source, names in patches.items():
        inner = f"{_PLACE}/build-{source}.sh"
        (work / Path(inner).name).write_text(script(source, names, here, os.cpu_count() or 1))
        files = [work / Path(inner).name, *(PATCHES / name for name in names)]
        hook += [
            f'cp {shlex.join(map(str, files))} "$1{_PLACE}"',
            f'chroot "$1" sh {inner}',
        ]
    hook.append(f'cp "$1{_PLACE}"/*.deb {shlex.quote(str(work))}')
    (work / "hook.sh").write_text("\n".join(hook) + "\n")
    programs.apart(
        "mmdebstrap", "--mode=root", "--variant=minbase", "--format=null",
        f"--architectures={f'{here},{ARCHITECTURE}' if foreign else here}",
        f"--include={','.join((*_PACKAGES, *([_CROSS] if foreign else ())))}",
        '--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io",
        f'--customize-hook=sh {shlex.quote(str(work / "hook.sh"))} "$1"',
        RELEASE, "-", str(listed),
        env={"TMPDIR": str(work)},
    )  # fmt: skip


def install(tree: Path, packages: Path, programs: Programs) -> None:
    """Put the built packages in the place of those that are installed."""
    there = tree / "var/lib/dpkg/info"
    found = [
        each for each in sorted(packages.glob("*.deb")) if (there / f"{each.name.partition('_')[0]}.list").exists()
    ]
    if not found:
        return
    place = tree / "tmp" / "patched"
    place.mkdir()
    for each in found:
        shutil.copyfile(each, place / each.name)
    programs.within(
        tree, "dpkg", "--force-unsafe-io", "--install", *(f"/{place.relative_to(tree)}/{each.name}" for each in found)
    )
    shutil.rmtree(place)
