"""Readers: one for each slide library or format."""
