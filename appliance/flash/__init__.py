"""``marquee flash``: an image onto a card, proven by reading it back, with the file that makes it one particular device.

Rules of this room: nothing is written before every refusal had its say; a card says that it is unfinished until the very
last block, so that no half of an image ever starts; whatever interrupts, the same command goes on.
"""
