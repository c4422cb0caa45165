"""Outbox and inbox: messages arrive once and in order over a network that loses, repeats and reorders.

Rule of this folder: every function works inside the caller's transaction, so a message is sent, or counted as received, exactly
if the caller's rows commit. Decisions are pure (``machine``); ``sender`` and ``receiver`` only read and write the rows.
"""
