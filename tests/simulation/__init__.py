"""A town of devices and a cloud in one thread: the product's own logic under a simulated clock, network, disk and misfortune.

Rule of this folder: everything random comes from the seed, so a run can be told again; nothing sleeps, no thread is started
and no database is opened. Guards are switched off for controls by replacing parts from here (``guards``), never in the product.
"""
