"""A run says what it left out and why, and counts that as a failure where it was told to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.turns import turn_of

SKIPS = """
import pytest

def test_runs(): pass

def test_lacks(program):
    pytest.skip("juggler is not installed: apt-get install juggler")
"""
SKIPS_WHOLLY = """
import pytest

pytest.skip("clown is not installed: apt-get install clown", allow_module_level=True)
"""


def run(root: Path, folder: Path, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of a folder under the project's own settings and reporting."""
    command = [sys.executable, "-m", "pytest", "-c", str(root / "pyproject.toml"), "-p", "tests.conftest"]
    command += ["-p", "no:cacheprovider", *options, str(folder)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "MARQUEE"))}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=root, env={**kept, **variables}
    )


@pytest.fixture
def skipping(tmp_path: Path) -> Path:
    (tmp_path / "test_partly.py").write_text(SKIPS)
    (tmp_path / "test_wholly.py").write_text(SKIPS_WHOLLY)
    return tmp_path


@pytest.mark.parametrize("workers", ["0", "2"])
def test_skipped_tests_are_listed_last_with_what_to_install(root: Path, skipping: Path, workers: str):
    done = run(root, skipping, "-n", workers)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.split("NOT RUN")[1]
    assert "apt-get install juggler  (1 tests)" in last
    assert "apt-get install clown  (1 tests)" in last
    assert "1 passed, 2 skipped" in last


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_that_may_skip_nothing_fails_when_it_did(root: Path, skipping: Path, workers: str):
    assert run(root, skipping, "-n", workers, MARQUEE_NO_SKIPS="1").returncode == pytest.ExitCode.TESTS_FAILED


def test_a_run_that_may_skip_nothing_passes_when_it_skipped_nothing(root: Path, tmp_path: Path):
    (tmp_path / "test_runs.py").write_text("def test_runs(): pass\n")
    done = run(root, tmp_path, "-n", "0", MARQUEE_NO_SKIPS="1")
    assert done.returncode == 0
    assert "NOT RUN" not in done.stdout


def test_a_warning_fails_a_test(root: Path, tmp_path: Path):
    (tmp_path / "test_warns.py").write_text("import warnings\n\ndef test_warns(): warnings.warn('careless')\n")
    assert run(root, tmp_path, "-n", "0").returncode == pytest.ExitCode.TESTS_FAILED


def test_the_seed_of_property_tests_is_shown(root: Path, tmp_path: Path):
    (tmp_path / "test_runs.py").write_text("def test_runs(): pass\n")
    assert "repeat with --hypothesis-seed=7" in run(root, tmp_path, "-n", "0", "--hypothesis-seed=7").stdout


def test_tests_with_programs_of_the_system_take_turns_and_others_run_beside_them():
    tests = (
        "browser/test_axe.py::test_every_page",
        "flows/test_soak.py::test_a",
        "flows/test_waitlist_town.py::test_a[2]",
    )
    assert [turn_of(f"tests/{each}") for each in tests] == ["machine", "machine", f"tests/{tests[2]}"]
