"""The build's package sources come from the build host, for the image's release."""

from __future__ import annotations

import pytest

from image import sources
from image.errors import BuildError

HOST = """\
Types: deb
# a remark
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://others.example/x
Suites: nodistro
Components: main
"""


def test_the_hosts_own_archive_is_used_with_the_images_release_and_its_backports():
    assert sources.rendered(HOST, "bookworm") == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie trixie-updates trixie-backports\n"
        "Components: main non-free-firmware\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n"
        "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: trixie-security\n"
        "Components: main non-free-firmware\n"
    )


def test_one_line_sources_say_the_same():
    text = "# x\ndeb [signed-by=/k.gpg] http://mirror.example/debian trixie main contrib\ndeb-src http://m.example trixie main\n"
    assert sources.rendered(sources.deb822(text), "trixie") == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie trixie-backports\n"
        "Components: main non-free-firmware\nSigned-By: /k.gpg\n"
    )


def test_a_host_whose_sources_name_another_release_is_told():
    with pytest.raises(BuildError, match="name no trixie"):
        sources.rendered(HOST, "trixie")


def test_a_host_that_is_no_debian_is_told(tmp_path):
    release = tmp_path / "os-release"
    release.write_text("ID=other\n")
    with pytest.raises(BuildError, match="no Debian"):
        sources.of_host(tmp_path, release)
