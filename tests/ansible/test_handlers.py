"""A run that ends half-way leaves no host with new files that nobody has read."""

from __future__ import annotations

from pathlib import Path

from tests.support.playbooks import Round, play


def test_what_changed_before_a_task_failed_is_told_to_whom_it_concerns(tmp_path: Path) -> None:
    """The next run finds the file as it should be, and would tell nobody."""
    changed = {"name": "Change", "ansible.builtin.command": "true", "notify": "Load the firewall"}
    failed = {"name": "Fail", "ansible.builtin.command": "false"}
    played = play(tmp_path, "hardening", Round([changed, failed]))
    assert played.status != 0
    assert "handled: Load the firewall" in played.text, played.text
