"""The process that owns the devices at the door: scan loop, print spool, camera.

Rule of this folder: a device may be absent, silent or broken at any time and nobody waits for it. Verdicts are committed
before anything is shown or printed; paper follows as fast as it can.
"""
