"""How much of what could be sold each way of sharing stock sells, while links are down; nothing here opens a socket or a file.

``trace`` makes the demand and the outages, ``baselines`` are the others, ``ours`` drives the cloud's real plan and estimates.
"""
