"""``marquee doctor``: looks at everything a running box office depends on and says what to do.

Rule of this folder: look, never touch. Nothing is created, migrated, opened or asked to move.
"""
