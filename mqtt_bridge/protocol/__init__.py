"""The pure shared kernel of edge and cloud.

Rule of this folder: values and decisions only. No I/O, no clock, no randomness, no framework; whatever both sides must
decide alike (stock arithmetic, ids, codes, receipts, catalogue shape) is decided here and nowhere else.
"""
