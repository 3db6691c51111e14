"""Slides, runs and references of a server."""
