"""What the guest's kernel has: without it nothing here would prove anything."""

from __future__ import annotations

import subprocess

import pytest


@pytest.mark.parametrize(
    "module", ["dummy_hcd", "libcomposite", "usb_f_fs", "usb_f_acm", "usblp", "cdc_acm", "uinput", "uhid", "vivid"]
)
def test_the_kernel_has(module: str) -> None:
    done = subprocess.run(["modprobe", "-n", module], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
