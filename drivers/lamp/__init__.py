"""Signal lamps, buzzers and buttons of a lane: GPIO pins and a simulator."""
