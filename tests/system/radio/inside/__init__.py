"""The suite that runs in the guest with simulated radios."""
