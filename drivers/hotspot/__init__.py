"""Access points for guests' phones: how many are on them, how many fit, and who was turned away."""
