"""What an operator types when something was lost: seal, release, recover, backup, restore.

Each shows its price before it does anything, and does it only on a word: a typed yes, or ``--yes``.
"""
