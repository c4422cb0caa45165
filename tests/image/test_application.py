"""The archive that hosts get: the same bytes from the same tree, laid out as Debian 13's Python expects a virtual environment."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from image import application

EPOCH = 1_700_000_000


class Pip:
    """Does what pip and compileall would, with two small packages; remembers what it was asked."""

    def __init__(self, fails: str = "") -> None:
        self.asked: list[tuple[str, ...]] = []
        self._fails = fails

    def __call__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.asked.append(tuple(command))
        if self._fails and self._fails in command:
            raise application.ApplicationError(f"{self._fails} failed")
        if "wheel" in command:
            folder = Path(command[command.index("--wheel-dir") + 1])
            folder.mkdir()
            with zipfile.ZipFile(folder / "marquee-0.1.0-py3-none-any.whl", "w") as wheel:
                wheel.writestr("appliance/__init__.py", "")
        elif "install" in command:
            site = Path(command[command.index("--target") + 1])
            own = "--find-links" in command
            (site / "bin").mkdir(parents=True)
            (site / "bin" / "tool").write_text("#!/elsewhere/bin/python\n")
            package = site / ("appliance" if own else "library")
            package.mkdir()
            (package / "__init__.py").write_text(f"NAME = {package.name!r}\n")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "marquee"\nversion = "1.2.3"\n')
    return folder


def made(project: Path, out: Path, pip: Pip | None = None, **options: Path) -> Path:
    return application.make("arm64", out, project=project, run=pip or Pip(), say=lambda _: None, **options)


def test_twice_the_same_tree_is_twice_the_same_archive(project: Path, tmp_path: Path) -> None:
    first, second = (made(project, tmp_path / name) for name in ("one", "two"))
    assert first.name == "marquee-1.2.3-arm64.tar.gz"
    assert first.read_bytes() == second.read_bytes()
    assert [each.name for each in first.parent.iterdir()] == [first.name], "drafts are left behind"


def test_it_is_a_virtual_environment_that_belongs_to_root_and_carries_no_trace_of_this_machine(
    project: Path, tmp_path: Path
) -> None:
    with tarfile.open(made(project, tmp_path / "out")) as archive:
        members = {each.name: each for each in archive}
        text = archive.extractfile("pyvenv.cfg").read().decode()
        command = archive.extractfile("bin/marquee").read().decode()
    assert {(each.uid, each.gid, each.mtime) for each in members.values()} == {(0, 0, EPOCH)}
    assert members["bin/python"].linkname == "/usr/bin/python3"
    assert members["bin/marquee"].mode == 0o755
    assert members["lib/python3.13/site-packages/appliance/__init__.py"].mode == 0o644
    assert "include-system-site-packages = true" in text
    assert command.startswith("#!/usr/lib/marquee/bin/python -IB\n")
    assert not [name for name in members if "/site-packages/bin" in name]
    assert str(tmp_path) not in text + command


def test_wheels_are_those_of_the_architecture_for_debians_python_and_nothing_is_built_from_source(
    project: Path, tmp_path: Path
) -> None:
    pip = Pip()
    made(project, tmp_path / "out", pip)
    packages = pip.asked[0]
    assert {"--require-hashes", "--no-deps", ":all:", "cp313"} <= set(packages)
    assert packages[-1] == str(project / "requirements-device.lock")
    assert {each.rpartition("_")[2] for each in packages if each.startswith("manylinux")} == {"aarch64"}
    own = pip.asked[1]
    assert {"--no-build-isolation", "--no-index"} <= set(own)


def test_bytecode_is_made_in_a_root_that_has_that_python(project: Path, tmp_path: Path) -> None:
    pip = Pip()
    made(project, tmp_path / "out", pip, python_root=tmp_path / "debian")
    compiler = pip.asked[-1]
    assert compiler[0] == "unshare"
    assert str(tmp_path / "debian") in compiler
    assert "compileall" in " ".join(compiler)


def test_the_role_compiles_with_the_same_words(root: Path) -> None:
    tasks = yaml.safe_load((root / "ansible/roles/application/tasks/install.yml").read_text(encoding="utf-8"))
    words = next(each["ansible.builtin.command"]["argv"] for each in tasks if each["name"] == "Compile it")
    assert tuple(words[1:]) == application.compileall("/usr/lib/marquee.new")


def test_an_archive_that_was_there_stays_when_a_program_fails(project: Path, tmp_path: Path) -> None:
    before = made(project, tmp_path / "out").read_bytes()
    with pytest.raises(application.ApplicationError, match="--find-links failed"):
        made(project, tmp_path / "out", Pip(fails="--find-links"))
    kept = list((tmp_path / "out").iterdir())
    assert [each.read_bytes() for each in kept] == [before]


def test_without_git_and_without_a_time_it_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    with pytest.raises(application.ApplicationError, match="SOURCE_DATE_EPOCH"):
        application.epoch_of(tmp_path)
