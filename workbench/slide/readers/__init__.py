"""Readers: one for each library or format of slides."""
