"""Use cases of the box office.

Rule of this folder: a use case is a function whose first argument is a ``Unit``; it returns to commit and raises to roll
back. Rows, messages, print jobs and audit lines of one use case are one transaction; nothing is visible before COMMIT.
"""
