"""What every host has: room for temporary files in memory, and names that go on being found."""

from __future__ import annotations

import re

import pytest

from tests.support.roles import render


@pytest.mark.parametrize(("given", "size"), [({}, 512), ({"marquee_image": False}, 512), ({"marquee_image": True}, 64)])
def test_a_kernel_of_debian_finds_room_to_pack_what_it_boots_with(given: dict[str, bool], size: int) -> None:
    """mkinitramfs does so in /var/tmp: 64 MB end every update of a kernel. On an image no kernel comes that way."""
    unit = render("base", "var-tmp.mount.j2", given, **given)
    assert re.findall(r"^Options=.*,size=(\d+)m$", unit, flags=re.MULTILINE) == [str(size)]
