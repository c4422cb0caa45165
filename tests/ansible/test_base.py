"""What every host has: room for temporary files in memory, and names that go on being found."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

from tests.support.roles import ROLES, render

STUB = "/run/systemd/resolve/stub-resolv.conf"
INSTALLED = "# by hand\nsearch example.org\nnameserver 10.20.0.1\n  nameserver\t2001:db8::53 \n#nameserver 10.9.9.9\noptions edns0\nnameserver fe80::1%eth0\n"


@pytest.mark.parametrize(("given", "size"), [({}, 512), ({"marquee_image": False}, 512), ({"marquee_image": True}, 64)])
def test_a_kernel_of_debian_finds_room_to_pack_what_it_boots_with(given: dict[str, bool], size: int) -> None:
    """mkinitramfs does so in /var/tmp: 64 MB end every update of a kernel. On an image no kernel comes that way."""
    unit = render("base", "var-tmp.mount.j2", given, **given)
    assert re.findall(r"^Options=.*,size=(\d+)m$", unit, flags=re.MULTILINE) == [str(size)]


def book(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROLES / f"base/tasks/{name}.yml").read_text(encoding="utf-8"))
    return found


def servers(text: str) -> list[str]:
    """What the role reads out of an /etc/resolv.conf."""
    env = NativeEnvironment()
    env.filters |= {
        "b64decode": lambda coded: base64.b64decode(coded).decode(),
        "regex_findall": lambda text, pattern: re.findall(pattern, text),
    }
    *_, write = book("resolver")
    given = {"base_resolver_text": {"content": base64.b64encode(text.encode()).decode()} if text else {"skipped": True}}
    return list(env.from_string(write["vars"]["base_resolver_servers"]).render(**given))


def test_names_are_found_before_and_after_systemd_resolved_takes_the_file_over() -> None:
    """It knows no server of a host that networkd does not run: the next package, and the cloud, would not be found."""
    found = servers(INSTALLED)
    assert found == ["10.20.0.1", "2001:db8::53", "fe80::1%eth0"]
    text = render("base", "resolved.conf.j2", ("base_resolver_servers",), base_resolver_servers=found)
    assert text.splitlines()[-2:] == ["[Resolve]", "FallbackDNS=10.20.0.1 2001:db8::53 fe80::1%eth0"]
    assert servers("nameserver 127.0.0.1\nnameserver 127.0.0.53\n") == ["127.0.0.1"], "it would ask itself"
    assert servers("") == servers("# nobody\n") == []


def test_the_role_looks_before_it_installs_anything_and_not_in_an_image() -> None:
    first, second, *_ = book("main")
    assert (first["ansible.builtin.include_tasks"], first["when"]) == ("resolver.yml", "base_start")
    assert second["ansible.builtin.apt"]["name"] == "{{ base_packages }}"


@pytest.mark.parametrize(
    ("stat", "reads"),
    [
        ({"exists": True, "islnk": False}, True),
        ({"exists": True, "islnk": True, "lnk_source": "/run/NetworkManager/resolv.conf"}, True),
        ({"exists": True, "islnk": True, "lnk_source": STUB}, False),
        ({"exists": True, "islnk": True, "lnk_source": "/run/systemd/resolve/resolv.conf"}, False),
        ({"exists": False}, False),
    ],
)
def test_nothing_is_learnt_from_what_systemd_resolved_wrote_itself(stat: dict[str, Any], reads: bool) -> None:
    """So a second run changes nothing."""
    env = NativeEnvironment()
    env.tests["match"] = lambda text, pattern: re.match(pattern, text) is not None
    _, read, _ = book("resolver")
    assert bool(env.from_string("{{ " + read["when"] + " }}").render(base_resolver={"stat": stat})) is reads
