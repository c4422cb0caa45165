"""Outbox and inbox: messages arrive once and in order over a network that loses, repeats and reorders.

Rule of this folder: every function works inside the caller's transaction, so a message is sent, or counted as received, exactly
if the caller's rows commit. Decisions are pure (``machine``); ``sender``, ``receiver`` and ``pump`` read and write rows
only through ``rows.Mail``, which ``sql`` keeps in tables and ``memory`` in dictionaries.
"""
