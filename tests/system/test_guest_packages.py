"""What of a lock file the guest takes, and that the project's own lock files have all of it."""

from __future__ import annotations

import pytest

from tests.system.guest.__main__ import missing
from tests.system.guest.packages import chosen, names_in
from tests.system.guest.root import NOT_NEEDED, PROJECT, TEST_LIBRARIES, pinned

LOCK = """\
# made by a program
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via beta
beta[extra]==2.1 ; python_full_version >= '3.12' \\
    --hash=sha256:ba
beta==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:bb
gamma==3 ; sys_platform == 'win32' \\
    --hash=sha256:ca
"""


def test_the_lines_of_that_python_are_taken_with_their_hashes_and_without_markers() -> None:
    assert chosen(LOCK, ["beta", "alpha"], "3.13") == (
        "alpha==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab\n    # via beta\n"
        "beta==2.1 \\\n    --hash=sha256:ba\n"
    )
    assert "beta==2.0" in chosen(LOCK, ["beta"], "3.11")


def test_what_is_not_there_for_that_python_is_named() -> None:
    with pytest.raises(LookupError, match="delta, gamma"):
        chosen(LOCK, ["alpha", "gamma", "delta"], "3.13")


def test_names_are_those_of_the_lock() -> None:
    assert names_in(LOCK) == {"alpha", "beta", "gamma"}


def test_the_guest_gets_what_the_product_runs_on_and_what_tests_need() -> None:
    names = names_in(pinned())
    runtime = names_in((PROJECT / "requirements.lock").read_text())
    assert names == (runtime - NOT_NEEDED) | set(TEST_LIBRARIES)
    assert not NOT_NEEDED - runtime, "names that are no longer in the lock file"
    assert pinned().count("--hash=sha256:") >= len(names)


def test_whoever_cannot_boot_a_guest_is_told_what_is_missing() -> None:
    assert missing(user=0, found=lambda _name: "/usr/bin/there") == []
    told = missing(user=1000, found=lambda name: None if name == "mmdebstrap" else name)
    assert len(told) == 2
    assert "root" in told[0]
    assert "mmdebstrap" in told[1]
