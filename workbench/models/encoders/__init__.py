"""Encoders of the field by name: presets as data, and adding of their weights."""
