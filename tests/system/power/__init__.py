"""Power cuts at moments drawn from a seed, while people book over the air: everything that was confirmed is there after each."""
