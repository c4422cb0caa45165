"""A fleet on one machine: a cloud and three venues, each a booted Debian 13, set up over SSH by the very roles an operator uses.

``make test-fleet`` builds the two roots once (kept outside the checkout, under a key made from what they consist of), lets systemd-nspawn boot
four copies of them in namespaces of their own (network, mounts, processes), and runs the story of ``inside/`` there. It ends with everything
that it started; ``inside/`` is never collected by the other suites.
"""
