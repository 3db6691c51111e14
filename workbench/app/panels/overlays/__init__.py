"""Overlays of runs on the slide."""
