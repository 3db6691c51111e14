"""Slides: opening them and reading their pixels."""
