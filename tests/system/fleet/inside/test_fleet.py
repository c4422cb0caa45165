"""From four bare hosts to an evening of three venues and their cloud: provisioned, sold out through link cuts, backed up, one device shut out."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from tests.system import figures
from tests.system.fleet.guests import PORTAL, Guest
from tests.system.fleet.hosts import Host, eventually
from tests.system.fleet.inside.conftest import VENUES, Fleet

SEATS = 60
CATALOGUE = """
venues:
  - {{id: hall, name: The Hall, address: 1 North Street}}
  - {{id: yard, name: The Yard, address: 2 South Street}}
  - {{id: loft, name: The Loft, address: 3 West Street}}
events:
  - slug: night
    title: One Night
    summary: One room, sold at three places.
    sessions:
      - key: only
        venue: hall
        starts_at: "{starts}"
        ends_at: "{ends}"
        timezone: UTC
        quotas: {{seats: {seats}}}
        ticket_types:
          - {{name: Seat, price: 0.00 EUR, quota: seats, policy: strict}}
limits: {{free_per_client: 1000, share_per_client: 1, new_clients_per_minute: 1000}}
staff:
  - {{badge: A7, name: Alex, pin: "2468"}}
"""
# Units of ours that must be active, beside whatever else begins with our name.
CLOUD = ("marquee-reconciler@1", "marquee-reconciler@2", "marquee-console", "marquee-authority", "marquee-backup.timer", "marquee-restore-drill.timer", "marquee-broker-reload.path", "mosquitto", "postgresql@17-main", "nginx")  # fmt: skip
VENUE = ("marquee-portal", "marquee-staff", "marquee-desk", "marquee-bridge", "marquee-first-boot", "marquee-dnsmasq", "marquee-certificate.timer", "nginx")  # fmt: skip
WORST = 2.0


def _says(host: Host, script: str, word: str) -> bool:
    return host.try_to(script).strip() == word


def _sells(guest: Guest, ticket_type: str) -> bool:
    return guest.book(ticket_type) == ""


def _active(fleet: Fleet) -> None:
    for host in fleet.hosts:
        wanted = CLOUD if host is fleet.cloud else VENUE
        for unit in wanted:
            eventually(
                partial(_says, host, f"systemctl is-active {unit}", "active"),
                f"{unit} on {host.name} is active",
                90,
            )
        failed = host.run(
            "systemctl list-units --failed --plain --no-legend 'marquee*' nginx.service mosquitto.service 'postgresql*'"
        )
        assert failed == "", f"{host.name}: {failed}"


def test_four_hosts_boot(fleet: Fleet):
    for host in fleet.hosts:
        host.wait()
    print(f"booted after {time.monotonic() - fleet.began_s:.0f} s")
    assert {host.run("hostname").strip() for host in fleet.hosts} == {"cloud-1", *VENUES}


def test_the_cloud_is_set_up(fleet: Fleet):
    played = fleet.books.play("--limit", "cloud")
    figures.tell("fleet", "a bare host becomes the cloud", f"{played.took_s:.0f} s")
    now = datetime.now(UTC)
    starts, ends = (f"{now + timedelta(hours=hours):%Y-%m-%d %H:%M}" for hours in (3, 5))
    catalogue = CATALOGUE.format(starts=starts, ends=ends, seats=SEATS)
    assert "ok" in fleet.cloud.run(
        "cat >/tmp/town.yaml && chmod 644 /tmp/town.yaml && marquee-cloud import /tmp/town.yaml && echo ok",
        stdin=catalogue,
    )
    fleet.token = fleet.marquee("operator-token").split()[-1]


def test_venues_are_set_up_with_the_files_that_the_cloud_wrote(fleet: Fleet):
    for device, venue in VENUES.items():
        out = f"/var/lib/marquee-cloud/{device}.toml"
        fleet.marquee(f"provision {device} {venue} --out {out} --country DE --staff-pin 4711")
        (fleet.books.provisioning / f"{device}.toml").write_text(fleet.cloud.run(f"cat {out} && rm {out}"))
    played = fleet.books.play("--limit", "venues")
    figures.tell("fleet", "three bare hosts become venues", f"{played.took_s:.0f} s")
    for host in fleet.venues.values():
        eventually(
            partial(_says, host, "test -s /var/lib/marquee/tls/device.pem && echo yes", "yes"),
            f"{host.name} has enrolled",
            90,
        )
        assert host.try_to("cat /boot/marquee/provisioning.toml /var/lib/marquee/device.toml").count("token") == 0
    _active(fleet)


def test_a_second_run_changes_nothing_and_check_mode_works(fleet: Fleet):
    again = fleet.books.play()
    figures.tell(
        "fleet",
        "the second run over all four",
        f"{again.took_s:.0f} s, changed={sum(again.changed.values())}",
        "changed=0",
    )
    assert len(again.changed) == 4 and sum(again.changed.values()) == 0, again.changes
    # Venues are alike, so one of them tells whether the roles can be asked without doing anything.
    checked = fleet.books.play("--check", "--diff", "--limit", f"cloud,{next(iter(VENUES))}")
    assert sum(checked.changed.values()) == 0, checked.changes


def test_every_unit_of_ours_is_shut_in(fleet: Fleet):
    worst = 0.0
    for host in fleet.hosts:
        units = re.findall(
            r"^(marquee-\S+\.service)",
            host.run("systemctl list-unit-files --plain --no-legend 'marquee-*.service'"),
            re.MULTILINE,
        )
        named = [each.replace("@.", "@1.") for each in units]
        assert named
        scores = {}
        for unit in named:
            told = host.try_to(f"systemd-analyze security --no-pager {unit} | tail -n 1")
            scores[unit] = float(re.search(r"exposure level for \S+: ([\d.]+)", told)[1])
        assert {unit: score for unit, score in scores.items() if score > WORST} == {}, f"{host.name}: {scores}"
        worst = max(worst, *scores.values())
    figures.tell(
        "fleet", "exposure of the worst unit of ours (systemd-analyze security)", f"{worst:.1f}", f"<= {WORST}"
    )


def test_guests_at_three_venues_book_from_one_quota(fleet: Fleet):
    for name, guest in fleet.guests.items():
        lease = guest.phone.join()
        assert lease.router == "192.168.4.1"
        kind = eventually(guest.type_on_sale, f"{name} shows what is on", 60)
        assert kind is not None
        fleet.ticket_type = kind["id"]
    eventually(
        lambda: all(each["granted"] > 0 for each in fleet.stock()["devices"]) and len(fleet.stock()["devices"]) == 3,
        "all three were granted",
        60,
    )
    for name, guest in fleet.guests.items():
        assert eventually(partial(_sells, guest, fleet.ticket_type), f"{name} sells", 30)
    _synced(fleet)


def test_staff_sign_in_under_the_certificate_that_their_device_made(fleet: Fleet, tmp_path: Path):
    secure = PORTAL.replace("http://", "https://")
    for name, guest in fleet.guests.items():
        pem = tmp_path / f"{name}.pem"
        pem.write_text(fleet.venues[name].run("openssl x509 -in /var/lib/marquee-portal/own.pem"))
        page = f"{secure}/staff/sign-in"
        assert guest.ask("GET", "/staff/sign-in").headers["location"] == page
        form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": secure}
        entered = guest.phone.request("POST", page, b"badge=A7&pin=2468", headers=form, trust=str(pem))
        assert entered.status == 303, entered.text
        assert entered.headers["set-cookie"].startswith("__Host-staff=")


def test_two_venues_cut_off_sell_what_they_have_and_no_more(fleet: Fleet):
    cut = {name: fleet.venues[name] for name in ("hall-1", "yard-1")}
    for host in cut.values():
        host.cut()
    left = {name: fleet.guests[name].book_all(fleet.ticket_type, SEATS) for name in cut}
    assert set(left.values()) <= {"sold-out-here", "sold-out"} and "" not in left.values(), left
    # The third one, whose link is up, gets what is not out with them, and is not given what is.
    assert fleet.guests["loft-1"].book_all(fleet.ticket_type, SEATS) != ""
    assert _sold(fleet) <= SEATS
    # Nothing was lost to the cut, and nothing of it is known in the cloud yet.
    known = sum(each["sold"] for each in fleet.stock()["devices"])
    assert known < _sold(fleet)
    for host in cut.values():
        host.heal()
    began_s = time.monotonic()
    _synced(fleet)
    figures.tell("fleet", "from the cables back in to everything synced", f"{time.monotonic() - began_s:.0f} s")
    for guest in fleet.guests.values():
        for _ in range(SEATS):
            if guest.book(fleet.ticket_type):
                break
    _synced(fleet)
    stock = fleet.stock()
    assert _sold(fleet) == sum(each["sold"] + each["confirmed"] for each in stock["devices"]) <= SEATS
    oversold = max(0, _sold(fleet) - stock["limit"] - stock["extra"])
    figures.tell(
        "fleet",
        f"tickets of {SEATS} sold at three venues through two cut links",
        f"{_sold(fleet)}, {oversold} oversold",
        "0 oversold",
    )
    assert oversold == 0


def test_a_killed_portal_comes_back_and_knows_its_bookings(fleet: Fleet):
    host, guest = fleet.venues["hall-1"], fleet.guests["hall-1"]
    before = host.run("systemctl show --property=MainPID --value marquee-portal").strip()
    began_s = time.monotonic()
    host.run("systemctl kill --signal=KILL marquee-portal")
    eventually(
        lambda: guest.ask("GET", f"/api/v1/orders/{guest.orders[-1]}").status == 200, "the last order is shown", 60
    )
    figures.tell("fleet", "a killed portal shows a booking again", f"{time.monotonic() - began_s:.1f} s")
    assert host.run("systemctl show --property=MainPID --value marquee-portal").strip() != before


def test_a_bridge_that_hangs_is_ended_and_begins_anew(fleet: Fleet):
    """Within seconds here instead of minutes: what else its unit says is as on a board."""
    host = fleet.venues["hall-1"]
    place = "/run/systemd/system/marquee-bridge.service.d"
    begin = "systemctl daemon-reload && systemctl restart marquee-bridge"
    assert host.run("systemctl show --property=WatchdogUSec --value marquee-bridge").strip() == "5min"
    host.run(f"mkdir -p {place} && printf '[Service]\\nWatchdogSec=12\\n' >{place}/hang.conf && {begin}")
    try:
        before = host.run("systemctl show --property=MainPID --value marquee-bridge").strip()
        # It turns, and is heard.
        time.sleep(26)
        assert host.run("systemctl show --property=MainPID --value marquee-bridge").strip() == before
        host.run(f"kill -STOP {before}")
        began_s = time.monotonic()
        begins_anew = partial(_says, host, "systemctl show --property=NRestarts --value marquee-bridge", "1")
        eventually(begins_anew, "it begins anew", 90)
        figures.tell("fleet", "a bridge that hangs for 12 s runs again", f"{time.monotonic() - began_s:.1f} s")
        said = host.run("journalctl -u marquee-bridge --since -5min -o cat --no-pager")
        assert "Watchdog timeout" in said
        assert "Fatal Python error: Aborted" in said
    finally:
        host.run(f"rm -r {place} && {begin}")
    _active(fleet)
    _synced(fleet)


def test_a_copy_is_made_and_can_be_put_back(fleet: Fleet):
    fleet.cloud.run("systemctl start marquee-backup.service")
    archives = fleet.cloud.run("ls /var/backups/marquee").split()
    assert len(archives) == 1
    held = fleet.cloud.run(f"tar --list --file /var/backups/marquee/{archives[0]}")
    for needed in ("database", "marquee-cloud/fleet.jsonl", "marquee-cloud/cloud.pem", "marquee-authority/ca.key"):
        assert f"marquee/{needed}\n" in held, held
    _kept_from_the_clouds_processes(fleet.cloud, f"/var/backups/marquee/{archives[0]}")
    fleet.cloud.run("systemctl start marquee-restore-drill.service")
    said = fleet.cloud.run("journalctl --no-pager --output cat -u marquee-restore-drill.service")
    assert "put back, with both keys" in said and all(device in said for device in VENUES), said
    orders = "select count(*) from ticket"
    count = {
        name: fleet.cloud.run(f"runuser -u postgres -- psql -At -c '{orders}' {name}").strip()
        for name in ("marquee", "marquee_drill")
    }
    assert count["marquee"] == count["marquee_drill"] == str(_sold(fleet)), count
    # What was unpacked for it is gone, the authority's key with it.
    assert fleet.cloud.run("stat --format '%U %a' /var/cache/marquee-drill").split() == ["marquee-backup", "700"]
    assert fleet.cloud.run("find /var/cache/marquee-drill -mindepth 1") == ""


def test_a_stolen_device_is_shut_out_by_the_broker(fleet: Fleet):
    host = fleet.venues["loft-1"]
    eventually(lambda: "accepted" in host.try_to(_KNOCK), "the broker knows it", 30)
    fleet.marquee("seal loft-1 --stolen --yes")
    eventually(lambda: "revoked" in host.try_to(_KNOCK), "the broker refuses its certificate", 60)
    # The broker resets who comes in the moment in which it reads its list again; devices come again too.
    eventually(lambda: "accepted" in fleet.venues["hall-1"].try_to(_KNOCK), "the broker lets the others in", 30)
    for host in fleet.venues.values():
        host.heal()
    figures.tell("fleet", "the whole story", f"{(time.monotonic() - fleet.began_s) / 60:.1f} min", "<= 8 min")


# What the broker says to the certificate of the device that this runs on: with TLS 1.3 a refusal comes behind the handshake.
_KNOCK = """/usr/lib/marquee/bin/python -c '
import socket, ssl
from urllib.parse import urlsplit
from appliance.settings import read_settings
broker = read_settings("/etc/marquee/marquee.toml:/var/lib/marquee/device.toml").broker
context = ssl.create_default_context(cafile=broker.ca)
context.load_cert_chain(broker.certificate, broker.key)
url = urlsplit(broker.url)
try:
    with context.wrap_socket(socket.create_connection((url.hostname, url.port), 5), server_hostname=url.hostname) as line:
        line.settimeout(2)
        line.recv(1)
        print("closed")
except TimeoutError:
    print("accepted")
except ssl.SSLError as error:
    print(error)
'"""


def _kept_from_the_clouds_processes(cloud: Host, archive: str) -> None:
    """The authority's key is in the archive: the account of copies reads it, that of reconcilers, verifier and console does not."""
    folder = archive.rpartition("/")[0]
    owners = cloud.run(f"stat --format '%U %a' {folder} {archive}").split()
    assert owners == ["marquee-backup", "700", "marquee-backup", "600"]
    key = f"tar --extract --to-stdout --file {archive} marquee/marquee-authority/ca.key"
    as_account = "setpriv --reuid={0} --regid={0} --init-groups --no-new-privs"
    assert "PRIVATE KEY" in cloud.run(f"{as_account.format('marquee-backup')} {key}")
    for account in ("marquee-cloud", "marquee-authority"):
        refused = cloud.try_to(f"{as_account.format(account)} {key}")
        assert "Permission denied" in refused and "PRIVATE KEY" not in refused, refused


def _sold(fleet: Fleet) -> int:
    return sum(len(guest.tickets) for guest in fleet.guests.values())


def _synced(fleet: Fleet) -> None:
    eventually(
        lambda: (
            all(each["unsynced"] == 0 for each in fleet.stock()["devices"])
            and sum(each["sold"] for each in fleet.stock()["devices"]) == _sold(fleet)
        ),
        "everything that was sold is known in the cloud",
        90,
    )
