class BuildError(Exception):
    """Something stopped the build; the text says what, in words for whoever typed the command."""
