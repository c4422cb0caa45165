"""What is installed on a device is all of the three packages and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

PACKAGES = ("appliance", "drivers", "mqtt_bridge")


def test_the_wheel_carries_code_templates_pictures_and_migrations_and_nothing_else(root: Path, tmp_path: Path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=60)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = [file for package in PACKAGES for file in (root / package).rglob("*") if file.is_file()]
    ours = {file.relative_to(root).as_posix() for file in files if "__pycache__" not in file.parts}
    assert packed == ours
