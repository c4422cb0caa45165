"""Steps are made once, go on after a kill, and say what they do."""

from __future__ import annotations

import io
import subprocess
import sys
import time

import pytest

from image import cache, steps
from image.errors import BuildError
from image.progress import Progress, bar, clock
from image.run import Programs
from image.steps import Step


@pytest.fixture
def store(tmp_path):
    return cache.Cache(tmp_path / "cache")


def write(text):
    return lambda work, have, programs: (work / "out").write_text(text + "".join(sorted(have)))


def run(store, *made: Step):
    out = io.StringIO()
    with store.held():
        have = steps.run(made, store, 0, out)
    return {name: (place / "out").read_text() for name, place in have.items()}, out.getvalue()


def test_a_step_is_made_once_and_the_next_build_says_so(store):
    plan = (Step("a", "first", (), 1, write("x")), Step("b", "second", ("a",), 1, write("y")))
    made, told = run(store, *plan)
    assert made == {"a": "x", "b": "ya"}
    assert told == " 1/2 first: 0:00\n 2/2 second: 0:00\n"
    assert run(store, *plan) == (made, " 1/2 first: as before\n 2/2 second: as before\n")


def test_a_step_that_fails_leaves_nothing_and_what_was_made_before_stays(store):
    def fail(work, have, programs):
        (work / "half").write_text("")
        programs.run("sh", "-c", "echo no more paper; exit 3")

    first = Step("a", "first", (), 1, write("x"))
    with pytest.raises(BuildError, match=r"sh failed \(3\)[\s\S]*no more paper"):
        run(store, first, Step("b", "second", ("a",), 1, fail))
    assert [path.name for path in store.at.glob("b-*")] == []
    _, told = run(store, first, Step("b", "second", ("a",), 1, write("y")))
    assert told == " 1/2 first: as before\n 2/2 second: 0:00\n"


def test_what_a_killed_build_left_is_removed(store):
    left = store.at / "building-a-123"
    (left / "root").mkdir(parents=True)
    with store.held():
        assert not left.exists()


def test_two_builds_do_not_share_a_cache(store, tmp_path):
    code = (
        "import sys, pathlib\nfrom image import cache\n"
        "with cache.Cache(pathlib.Path(sys.argv[1])).held():\n print('held', flush=True)\n sys.stdin.read()\n"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(store.at)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BuildError, match="Another build holds"), store.held():
            pass
    finally:
        other.communicate()


def test_results_nobody_used_for_long_are_forgotten(store):
    run(store, Step("a", "first", (), 1, write("x")))
    used = next(store.at.glob("a-*"))
    old = store.at / "a-old"
    old.mkdir()
    store.forget({used}, older_than_s=-time.time())
    assert (used.exists(), old.exists()) == (True, False)


def test_programs_see_the_builds_time_and_no_language_of_the_host(tmp_path, monkeypatch):
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    log = tmp_path / "log" / "x.log"
    Programs(log, 1764000000).run("sh", "-c", "echo $SOURCE_DATE_EPOCH $LC_ALL $TZ $LANG")
    assert log.read_text().splitlines()[1] == "1764000000 C.UTF-8 UTC"


def test_the_bar_goes_with_the_time_that_steps_took_last_time():
    shown = Progress(io.StringIO(), ["base", "card"], {"base": 900.0, "card": 100.0})
    assert shown.line("base", "Debian", 450.0) == f"{bar(0.45)}  1/2 Debian 7:30 of about 15:00"
    shown.done("base", "Debian", 900.0)
    assert shown.line("card", "image", 0.0).startswith(bar(0.9))
    # A step that takes longer than ever does not claim to be done.
    assert shown.line("card", "image", 500.0).startswith(bar(1.0))


def test_times_are_minutes_and_seconds():
    assert (clock(0), clock(59.9), clock(125)) == ("0:00", "0:59", "2:05")
