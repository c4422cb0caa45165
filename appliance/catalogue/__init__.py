"""The catalogue file: YAML in, catalogue with ids and pictures out, or every mistake with its line and field."""

from __future__ import annotations

from appliance.catalogue.pins import keeping
from appliance.catalogue.problems import CatalogueErrors, Problem
from appliance.catalogue.reader import PinHasher, ReadResult, read_catalogue

__all__ = ["CatalogueErrors", "PinHasher", "Problem", "ReadResult", "keeping", "read_catalogue"]
