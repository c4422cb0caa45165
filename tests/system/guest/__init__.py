"""A booted Debian 13 guest whose kernel has real devices: USB printers and serial scanners by gadget, keyboards by uinput, cameras by vivid.

``make test-system`` builds the guest once (kept outside the checkout, under a key made from what it consists of), boots it under QEMU
without KVM, runs the suite of ``inside/`` there against this very tree, and shows what it prints. ``inside/`` is never
collected on the host.
"""
