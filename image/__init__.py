"""Builds what a card is flashed with: declarative layers in, an image, a signed bundle and a list of all that is inside out.

Pure parts (layers, keys, partition table, maps) do no I/O of their own; steps run programs and leave what they made in one
folder each, named by a key of all that went into it.
"""
