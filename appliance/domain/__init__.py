"""Pure rules of the box office.

Rule of this folder: values in, decisions out. No I/O, no clock, no randomness, no framework; what a rule needs to know is
handed to it, so every rule can be read and tested in a minute.
"""
