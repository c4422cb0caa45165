"""The only module that imports python-escpos, used as a byte encoder and never as a transport.

Importing the library leaves a directory in the temporary folder for ever, loads a pickle from there, parses its
printer database as YAML (slow on a small board) and configures the root logger. All four are contained here: the
database is handed over as a fresh pickle in a private directory that is removed again, and the root logger carries a
handler while the import runs, so that `logging.basicConfig` finds nothing to do.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import pickle
import platform
import tempfile
import threading
from pathlib import Path
from typing import Any

_PICKLE_DIR = "ESCPOS_CAPABILITIES_PICKLE_DIR"
_lock = threading.Lock()
_modules: dict[str, Any] = {}


def escpos_module(name: str) -> Any:
    """The library's module `escpos.<name>`, imported without its side effects."""
    with _lock:
        if name not in _modules:
            _modules[name] = _contained_import(f"escpos.{name}")
        return _modules[name]


def _contained_import(name: str) -> Any:
    guard = logging.NullHandler()
    root = logging.getLogger()
    outside = os.environ.get(_PICKLE_DIR)
    temp_before = tempfile.tempdir
    root.addHandler(guard)
    try:
        with tempfile.TemporaryDirectory(prefix="marquee-escpos-") as private:
            _write_database_pickle(Path(private))
            os.environ[_PICKLE_DIR] = private
            tempfile.tempdir = private
            return importlib.import_module(name)
    finally:
        tempfile.tempdir = temp_before
        root.removeHandler(guard)
        if outside is None:
            os.environ.pop(_PICKLE_DIR, None)
        else:
            os.environ[_PICKLE_DIR] = outside


def _write_database_pickle(folder: Path) -> None:
    """Give the library its own printer database in the form it reads fastest."""
    spec = importlib.util.find_spec("escpos")
    if spec is None or not spec.submodule_search_locations:
        return
    source = Path(spec.submodule_search_locations[0]) / "capabilities.json"
    database = json.loads(source.read_text(encoding="utf-8"))
    target = folder / f"{platform.python_version()}.capabilities.pickle"
    target.write_bytes(pickle.dumps(database, protocol=2))
