"""The host's firewall between two real networks: who reaches which port."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.roles import ANSIBLE, defaults, render

# A host with two cables: one to the management side, one to anybody. Both end in the same other machine.
NETWORKS = """
set -e
ip link set lo up
unshare -n sleep 60 & other=$!
trap 'kill $other' EXIT
# Until it has a network of its own.
for _ in $(seq 100); do [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ] && break; sleep 0.02; done
for each in "office 10.20.0" "street 10.30.0" "wlan0 192.168.4"; do
    set -- $each
    ip link add $1 type veth peer name $1 netns $other
    ip addr add $2.1/24 dev $1 && ip link set $1 up
    nsenter -t $other -n ip addr add $2.2/24 dev $1 && nsenter -t $other -n ip link set $1 up
done
nft -f "$RULES"
exec 3>&1
python3 -c "$SERVER" & server=$!
trap 'kill $other $server' EXIT
nsenter -t $other -n python3 -c "$CLIENT"
"""
PORTS = (22, 80, 443, 8883, 9100)
SERVER = f"""
import socket, time
listening = [socket.create_server(("", port)) for port in {PORTS}]
time.sleep(60)
"""
CLIENT = f"""
import json, socket, time

def reaches(host, port):
    try:
        socket.create_connection((host, port), timeout=0.4).close()
    except OSError:
        return False
    return True

end = time.monotonic() + 5
while not reaches("10.30.0.1", 8883) and time.monotonic() < end:
    time.sleep(0.05)
print(json.dumps({{side: [port for port in {PORTS} if reaches(host, port)]
                  for side, host in [("office", "10.20.0.1"), ("street", "10.30.0.1"), ("guests", "192.168.4.1")]}}))
"""


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """Ports that answer, by the side they are asked from."""
    rules = Path(tmp_path_factory.mktemp("rules")) / "host.nft"
    given = {
        "hardening_management_from": ["10.20.0.0/24", "fd00::/8"],
        "hardening_management_interfaces": ["mgmt*"],
        "hardening_open_tcp_ports": [8883],
        # The console's, by the role's own default.
        "console_name": "console.example.org",
        "hardening_guest_interfaces": ["wlan0"],
    }
    rules.write_text(render("hardening", "host.nft.j2", ("console_name",), **given), encoding="utf-8")
    done = subprocess.run(
        ["unshare", "--net", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", NETWORKS],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "RULES": str(rules), "SERVER": SERVER, "CLIENT": CLIENT},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout, done.stderr
    found: dict[str, list[int]] = json.loads(done.stdout)
    return found


@pytest.mark.system
def test_the_management_side_reaches_ssh_figures_and_the_console(reached: dict[str, list[int]]) -> None:
    assert reached["office"] == [22, 443, 8883, 9100]


@pytest.mark.system
def test_everybody_else_reaches_what_is_open_to_all_and_nothing_more(reached: dict[str, list[int]]) -> None:
    assert reached["street"] == [8883]


@pytest.mark.system
def test_guests_are_left_to_the_table_of_the_hotspot(reached: dict[str, list[int]]) -> None:
    assert reached["guests"] == list(PORTS), "this table decides nothing about them"


FROM, THROUGH = "ip saddr 10.9.0.0/16 tcp dport 443 accept", 'iifname "wg0" tcp dport 443 accept'


@pytest.mark.parametrize(
    ("given", "opened"),
    [
        ({"hardening_management_from": ["10.9.0.0/16"]}, []),
        ({"hardening_management_from": ["10.9.0.0/16"], "console_name": "box.example.org"}, [FROM]),
        ({"hardening_management_interfaces": ["wg0"], "console_name": "box.example.org"}, [THROUGH]),
        ({"console_operators_from": ["10.9.0.0/16"], "console_name": "box.example.org"}, [FROM]),
        ({"console_name": "box.example.org"}, []),
    ],
)
def test_the_console_is_open_to_operators_alone_and_only_over_https(
    given: dict[str, object], opened: list[str]
) -> None:
    rules = render("hardening", "host.nft.j2", ("console_name", "console_operators_from"), **given)
    assert [line.strip() for line in rules.splitlines() if " 443 " in line] == opened


def test_ssh_leads_to_the_console_of_a_cloud_and_nowhere_else() -> None:
    cloud = yaml.safe_load((ANSIBLE / "inventory/example/group_vars/cloud.yml").read_text(encoding="utf-8"))
    to = cloud["hardening_ssh_forward_to"]
    assert to == [defaults("console")["console_bind"]]
    assert "AllowTcpForwarding no" in render("hardening", "sshd.conf.j2").splitlines()
    lines = render("hardening", "sshd.conf.j2", hardening_ssh_forward_to=to).splitlines()
    assert [line for line in lines if "Forwarding" in line or "PermitOpen" in line] == [
        "X11Forwarding no",
        "AllowAgentForwarding no",
        "AllowTcpForwarding local",
        "PermitOpen 127.0.0.1:8090",
        "AllowStreamLocalForwarding no",
    ]
