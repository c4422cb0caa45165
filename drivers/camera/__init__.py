"""Cameras that give one picture at a time."""
