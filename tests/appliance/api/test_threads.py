"""Nothing is left for the first requests to do at the same time that libraries cannot do at the same time."""

from __future__ import annotations

import subprocess
import sys

# msgspec 0.22 describes a struct when it is first decoded; threads that do so at once crash the process (SIGSEGV).
DESCRIBES = "get_class_annotations"
SCRIPT = f"""
import sys
import msgspec
from appliance.domain import printing
from appliance.portal.app import programs
from appliance.portal.routes import Table
from mqtt_bridge.protocol import catalogue, codec, messages

table = Table()
programs(table)
late = set()

def watch(frame, event, _argument):
    if event == "call" and frame.f_code.co_name == {DESCRIBES!r}:
        late.add(kind.__name__)

kinds = [route.body for route in table.routes if route.body is not None]
kinds += [catalogue.Catalogue, printing.Stub, printing.SalesReceipt]
kinds += [each for each in vars(messages).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)]
sys.setprofile(watch)
for kind in kinds:
    try:
        msgspec.json.decode(b"{{}}", type=kind)
    except msgspec.ValidationError:
        pass
sys.setprofile(None)
print(len(kinds), sorted(late))
"""


def test_every_struct_that_threads_decode_is_described_before_there_are_threads() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    number, late = done.stdout.strip().split(" ", 1)
    assert int(number) > 25
    assert late in ("[]", "['Body']", "['Body', 'Sold']"), "only the bases that never travel may be left"
