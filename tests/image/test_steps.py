"""Steps are made once, go on after a kill, and say what they do."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from image import cache, steps
from image.errors import BuildError
from image.progress import Progress, Shown, bar, clock
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


def timeless(told):
    return re.sub(r"\d+:\d\d", "T", told).splitlines()


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


def test_steps_that_need_nothing_of_each_other_are_made_beside_each_other(store):
    met = threading.Barrier(2, timeout=30)

    def meet(work, have, programs):
        met.wait()
        (work / "out").write_text("x")

    last = Step("c", "last", ("a", "b"), 1, write("z"))
    made, told = run(store, Step("a", "first", (), 1, meet), Step("b", "second", (), 1, meet), last)
    assert made["c"] == "zab"
    assert sorted(timeless(told)) == [" 1/3 first: T", " 2/3 second: T", " 3/3 last: T"]


def test_what_runs_beside_a_step_that_fails_is_made_and_kept_and_nothing_more_is_begun(store):
    begun, failed = threading.Event(), threading.Event()

    def fail(work, have, programs):
        begun.wait(30)
        raise BuildError("no more paper")

    def slow(work, have, programs):
        begun.set()
        failed.wait(30)
        (work / "out").write_text("kept")

    class Told(io.StringIO):
        def write(self, text):
            if "failed" in text:
                failed.set()
            return super().write(text)

    out = Told()
    plan = (Step("a", "first", (), 1, fail), Step("b", "second", (), 1, slow), Step("c", "third", (), 1, write("z")))
    with pytest.raises(BuildError, match="no more paper"), store.held():
        steps.run(plan, store, 0, out)
    assert timeless(out.getvalue()) == [" 1/3 first: failed after T; still running: 2/3", " 2/3 second: T"]
    assert [path.name[:1] for path in store.at.glob("?-*")] == ["b"]


def test_of_two_steps_that_fail_both_reasons_are_told(store):
    met = threading.Barrier(2, timeout=30)

    def fail(reason):
        def make(work, have, programs):
            met.wait()
            raise reason

        return make

    plan = (
        Step("a", "first", (), 1, fail(BuildError("no paper"))),
        Step("b", "second", (), 1, fail(OSError("no ink"))),
    )
    with pytest.raises(BuildError) as found:
        run(store, *plan)
    assert sorted(str(found.value).split("\n\n")) == ["no ink", "no paper"]


@pytest.mark.parametrize("before", ["", "raise RuntimeError"])
def test_an_interrupted_build_kills_what_it_runs(tmp_path, before):
    """Also where a step has failed, and only what runs beside it is waited for."""
    code = (
        "import io, pathlib, signal, sys\nfrom image import cache, steps\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def sleep(work, have, programs):\n"
        "    programs.run('sh', '-c', 'echo $$ >' + str(work / 'pid') + '; exec sleep 300')\n"
        "def fail(work, have, programs):\n"
        "    (work / 'pid').write_text('0')\n"
        f"    {before or 'sleep(work, have, programs)'}\n"
        "plan = [steps.Step('a', 'a', (), 1, sleep), steps.Step('b', 'b', (), 1, fail)]\n"
        "steps.run(plan, cache.Cache(pathlib.Path(sys.argv[1])), 0, io.StringIO())\n"
    )
    build = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stderr=subprocess.DEVNULL)
    try:
        end_s = time.monotonic() + 30
        while len(pids := [each.read_text() for each in tmp_path.glob("*/pid") if each.read_text()]) < 2:
            assert time.monotonic() < end_s
            time.sleep(0.02)
        build.send_signal(signal.SIGINT)
        build.wait(30)
    finally:
        build.kill()
        build.wait()
    assert [pid for pid in pids if (Path("/proc") / pid.strip()).exists()] == []


def test_how_long_a_build_lasts_is_told_by_what_waits_for_what():
    needs = {"base": (), "patched": (), "program": (), "kernel": ("base",), "root": ("base", "patched")}
    plan = [Step(name, name, waits_for, 1, write("")) for name, waits_for in needs.items()]
    took = {"base": 100.0, "patched": 20.0, "program": 10.0, "kernel": 30.0, "root": 50.0}
    assert steps.lasts(plan, took) == 150.0
    # Two at a time: the kernel waits for the program to be made.
    assert steps.lasts(plan, {name: took[name] for name in ("patched", "program", "kernel", "root")}) == 70.0
    assert steps.lasts(plan, {"kernel": 30.0}) == 30.0
    assert steps.lasts(plan, {}) == 0.0


def test_the_bar_goes_with_the_time_that_steps_took_last_time():
    progress = Progress(io.StringIO(), ["base", "card"], {"base": 900.0, "card": 100.0})
    base = Shown("base", "Debian", 450.0)
    assert progress.line([base]) == f"{bar(0.45)}  1/2 Debian 7:30 of about 15:00"
    beside = Shown("card", "image", 50.0)
    assert (
        progress.line([base, beside]) == f"{bar(0.5)}  1/2 Debian 7:30 of about 15:00 ·  2/2 image 0:50 of about 1:40"
    )
    progress.done("base", "Debian", 900.0)
    assert progress.line([Shown("card", "image", 0.0)]).startswith(bar(0.9))
    # A step that takes longer than ever does not claim to be done.
    assert progress.line([Shown("card", "image", 500.0)]).startswith(bar(1.0))


def test_times_are_minutes_and_seconds():
    assert (clock(0), clock(59.9), clock(125)) == ("0:00", "0:59", "2:05")
