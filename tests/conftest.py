"""What every test may use, and how a run reports what it left out.

``free_port()``, ``program("chromium")`` and ``seed`` are fixtures; ``tests/support`` has the same as functions. A test that
lacks a program of the system is skipped and listed last with the package to install; with MARQUEE_NO_SKIPS=1 any test
that did not run fails the whole run.
"""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.support import ports, programs
from tests.support.logging import kept_logging

ROOT = Path(__file__).resolve().parent.parent

# Named in full, so that hypothesis chooses no profile of its own on a CI machine; what is new there is the seed, below.
for name, examples in {"fast": 100, "deep": 2000}.items():
    hypothesis.settings.register_profile(
        name, deadline=None, derandomize=False, print_blob=True, database=None, max_examples=examples
    )
hypothesis.settings.load_profile(os.environ.get("MARQUEE_HYPOTHESIS", "fast"))


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command configures logging for its process: what one test ran must not write to its closed output in another."""
    with kept_logging():
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the project."""
    return ROOT


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that returns a free port of 127.0.0.1."""
    return ports.free_port


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """A function that returns the path of a program of the system, or skips the test and says what to install."""
    return programs.program


@pytest.fixture
def seed() -> int:
    """A number to seed a simulation with; a failed test shows it, and MARQUEE_SEED repeats it."""
    number = int(os.environ.get("MARQUEE_SEED", secrets.randbits(32)))
    print(f"seed: {number} (repeat with MARQUEE_SEED={number})")
    return number


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed of the property tests here, so that the workers share it and the report can name it.

    Where a change is judged (CI) it is always the same, so that nobody is stopped by what an earlier change did; exploring is
    every other run's work, and `MARQUEE_HYPOTHESIS=deep`'s.
    """
    if config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = "1" if os.environ.get("CI") == "true" else str(secrets.randbits(32))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests of the API's document each their own id: workers run one test of each id, and schemathesis' had all the same."""
    for each in items:
        name, _, params = each.name.partition("[")
        if params and each.nodeid.endswith(f"::{name}"):
            each._id = each.id.with_params(params.removesuffix("]"))
    again = [each for each, times in Counter(each.nodeid for each in items).items() if times > 1]
    if again:
        raise pytest.UsageError(f"several tests share an id, of which workers run one: {', '.join(again)}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """``--dist loadgroup`` lets files whose tests need programs of the system take turns; all else runs beside them, test by test."""
    if config.getoption("dist") != "loadgroup":
        return None
    # Guests that are booted run tests without it.
    from tests.support.turns import Turns

    return Turns(config, log)


def pytest_report_header(config: pytest.Config) -> str:
    """Say how to repeat the property tests of this run."""
    return f"property tests: repeat with --hypothesis-seed={config.getoption('--hypothesis-seed')}"


def not_run(terminal: pytest.TerminalReporter) -> list[tuple[str, str]]:
    """Return (test, reason) of everything that was skipped or expected to fail."""
    reports = [
        *terminal.stats.get("skipped", []),
        *terminal.stats.get("xfailed", []),
        *terminal.stats.get("xpassed", []),
    ]
    return sorted((report.nodeid, _reason(report)) for report in reports)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return getattr(report, "wasxfail", "") or "no reason given"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """List what did not run after everything else, grouped by what would make it run."""
    yield
    missing = not_run(terminalreporter)
    if not missing:
        return
    terminalreporter.section("NOT RUN", yellow=True)
    for reason in sorted({reason for _, reason in missing}):
        tests = [test for test, its in missing if its == reason]
        terminalreporter.line(f"{reason}  ({len(tests)} tests)")
        for test in tests:
            terminalreporter.line(f"    {test}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With MARQUEE_NO_SKIPS=1 a run that left something out has failed."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("MARQUEE_NO_SKIPS") != "1" or terminal is None:
        return
    if not_run(terminal) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
