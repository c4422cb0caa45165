"""A document as a picture, through the very bytes that a printer would get."""

from __future__ import annotations

from drivers.printer.document import Document
from drivers.printer.encoder import render
from drivers.printer.paper import receipt_png
from drivers.printer.simulator import SimulatedPrinter


def document_png(document: Document) -> bytes:
    """The document on paper, as PNG; raises `ValueError` when it prints nothing."""
    printer = SimulatedPrinter(kept=1)
    printer.receive(render(document))
    receipt = printer.last_receipt()
    if receipt is None:
        raise ValueError("the document prints nothing")
    return receipt_png(receipt)
