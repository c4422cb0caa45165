"""Everything that crosses the network: messages, mailbox, relay and the cloud's reconciler.

Rule of this folder: it knows neither the appliance nor the drivers; ``bootstrap`` hands it what it calls (``edge.EdgeHandlers``).
A message counts as delivered at the receiver's own ack after its COMMIT, never at the broker's. Only ``transport`` knows paho,
only ``connections`` opens databases, and ``protocol`` has no I/O at all.
"""
