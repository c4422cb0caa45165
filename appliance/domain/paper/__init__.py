"""What comes out of the printer: templates that an organiser can edit, filled with the facts of a print job.

Rule of this folder: pure. Facts come in as values of ``appliance.domain.printing``, a ``Document`` for any printer goes out.
Marks that keep paper honest (REPRINT, TRAINING) stand above every template and cannot be edited away.
"""

from __future__ import annotations

from appliance.domain.paper.defaults import DEFAULTS
from appliance.domain.paper.fields import FIELDS, KINDS, LISTS
from appliance.domain.paper.layout import Stationery, lay_out, parse_for
from appliance.domain.paper.samples import SAMPLES
from appliance.domain.paper.template import Template, TemplateErrors, parse

__all__ = [
    "DEFAULTS",
    "FIELDS",
    "KINDS",
    "LISTS",
    "SAMPLES",
    "Stationery",
    "Template",
    "TemplateErrors",
    "lay_out",
    "parse",
    "parse_for",
]
