"""Updates of the booted image: install while people book, trial, mark good, and the way back from everything that goes wrong."""
