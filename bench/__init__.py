"""Measurements of this machine: every figure is a ratio to something measured in the same run, or says why it is not.

``python -m bench`` runs all of them, prints the table and writes it to ``docs/benchmarks.md``.
"""
