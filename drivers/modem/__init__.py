"""Modems that send text messages: ModemManager over D-Bus, plain AT commands, simulators."""
