"""Keys of steps: what changes them, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from image import keys
from image.steps import Step, keyed


def nothing(_work, _have, _programs):
    raise AssertionError("a key is made without making anything")


def step(name, needs="", inputs=None):
    return Step(name, name, tuple(needs.split()), inputs, nothing)


def test_equal_inputs_give_an_equal_key_whatever_order_a_table_was_written_in():
    assert keys.key({"a": 1, "b": [2]}) == keys.key({"b": [2], "a": 1})
    assert keys.key({"a": 1}) != keys.key({"a": "1"})
    assert keys.key("a", "b") != keys.key("ab")


def test_a_step_is_made_anew_with_what_it_needs_and_nothing_else_is():
    before = keyed([step("base"), step("tools"), step("root", "base"), step("card", "root tools")])
    after = keyed([step("base", inputs="changed"), step("tools"), step("root", "base"), step("card", "root tools")])
    assert {name for name in before if before[name] != after[name]} == {"base", "root", "card"}


def test_a_step_needs_only_what_comes_before_it():
    with pytest.raises(KeyError):
        keyed([step("root", "base"), step("base")])


def test_a_file_counts_with_its_name_its_bytes_and_whether_it_is_run(tmp_path: Path):
    (tmp_path / "a").write_text("1")
    (tmp_path / "__pycache__").mkdir()
    first = keys.of_files([tmp_path], tmp_path)
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert keys.of_files([tmp_path], tmp_path) == first
    (tmp_path / "a").chmod(0o755)
    assert keys.of_files([tmp_path], tmp_path) != first
