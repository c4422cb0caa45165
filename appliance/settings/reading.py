"""Reads files and variables into ``Settings``; whatever is wrong in any of them is told at once."""

from __future__ import annotations

import dataclasses
import difflib
import logging
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from appliance.settings.fields import BY_KEY, FIELDS, PREFIX, Field
from appliance.settings.sections import Settings

CONFIG_VARIABLE = "MARQUEE_CONFIG"
_log = logging.getLogger(__name__)


class SettingsError(Exception):
    """Settings that cannot be used; ``problems`` names each key and what to write instead."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_settings(path: Path | str | None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the files (if any) and the environment; raises ``SettingsError`` with everything that is wrong at once.

    ``path`` may be several files joined by ``:``. The first must exist. A later one is a layer of its own, such as the one
    that a device writes when it is provisioned: where it is missing, the earlier ones speak alone, and a setting in it that is not
    known is logged and left out: a newer program may have written it, before its update was taken back.
    """
    variables = os.environ if environment is None else environment
    problems: list[str] = []
    given: dict[str, tuple[str, object]] = {}
    files = [Path(each) for each in str(path or variables.get(CONFIG_VARIABLE, "")).split(os.pathsep) if each]
    for number, file in enumerate(files):
        if number == 0 or _exists(file, problems):
            given |= _from_file(file, problems, f" (from {file})" if len(files) > 1 else "", strict=number == 0)
    given |= _from_environment(variables, problems)
    values = {key: _value(BY_KEY[key], origin, raw, problems) for key, (origin, raw) in given.items()}
    if problems:
        raise SettingsError(problems)
    return _assemble(values)


def _value(field: Field, origin: str, raw: object, problems: list[str]) -> object:
    try:
        return field.read(raw)
    except ValueError as error:
        shown = repr(raw) if len(repr(raw)) <= 80 else repr(raw)[:77] + "..."
        problems.append(f"{origin}: {shown} {error}")
        return field.default


def _assemble(values: Mapping[str, object]) -> Settings:
    sections = {}
    for section in dataclasses.fields(Settings):
        mine = {
            field.name: values[field.key] for field in FIELDS if field.section == section.name and field.key in values
        }
        sections[section.name] = dataclasses.replace(cast(Any, section.default), **mine)
    return Settings(**sections)


def _exists(file: Path, problems: list[str]) -> bool:
    """Whether a later layer is there; one in a folder that this user may not enter is a problem, not a missing file."""
    try:
        file.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        problems.append(f"{file}: cannot be read ({error.strerror}); run this as the user it belongs to")
        return False
    return True


def _from_file(path: Path, problems: list[str], source: str, *, strict: bool) -> dict[str, tuple[str, object]]:
    """Return key -> (how messages name it, raw value); ``source`` says which file, where there are several."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror}); name a file that exists with --config")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: is not TOML: {error}")
        return {}
    given: dict[str, tuple[str, object]] = {}
    for section, content in document.items():
        if not isinstance(content, dict):
            problems.append(f"{section}{source}: is not a section; write [{section}] and key = value below it")
            continue
        for name, raw in content.items():
            key = f"{section}.{name}"
            if key in BY_KEY:
                given[key] = (f"{key}{source}", raw)
            elif strict:
                problems.append(f"{key}{source}: is not a setting; {_nearest(key, list(BY_KEY))}")
            else:
                _log.warning("%s%s: is not a setting of this version and is left out", key, source)
    return given


def _from_environment(variables: Mapping[str, str], problems: list[str]) -> dict[str, tuple[str, object]]:
    known = {field.variable: field for field in FIELDS}
    given: dict[str, tuple[str, object]] = {}
    for variable, raw in sorted(variables.items()):
        if not variable.startswith(PREFIX) or variable == CONFIG_VARIABLE:
            continue
        if variable in known:
            given[known[variable].key] = (f"{known[variable].key} (from {variable})", raw)
        elif _meant_as_setting(variable, known):
            problems.append(f"{variable}: is not a setting; {_nearest(variable, list(known))}")
    return given


def _meant_as_setting(variable: str, known: Iterable[str]) -> bool:
    """Tools around Marquee have variables too; one of a section's, or nearly the name of a setting, is a slip."""
    word = variable.removeprefix(PREFIX)
    names = [each.removeprefix(PREFIX) for each in known]
    in_section = any(word.startswith(f"{section.name.upper()}_") for section in dataclasses.fields(Settings))
    return in_section or bool(difflib.get_close_matches(word, names, n=1, cutoff=0.8))


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else "see `marquee settings` for those there are"
