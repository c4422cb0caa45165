"""The suite that runs inside the guest; the host never collects it."""
