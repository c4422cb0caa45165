"""The reconciler: one inventory across all venues.

Rule of this folder: correctness rests on rows and on our own acknowledgements, never on a broker's order or delivery, nor
on being the only process. ``allocation`` and ``routing`` are pure; everything else works inside the caller's transaction,
and nothing is published before its COMMIT returned.
"""
