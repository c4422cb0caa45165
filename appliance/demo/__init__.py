"""A whole town of box offices on one machine: real processes, simulated hardware, links that can be cut.

Rule of this folder: nothing here is used in production, and nothing in production knows of it; the demo starts the same
commands as systemd would and turns the same knobs as a person with a screwdriver.
"""
