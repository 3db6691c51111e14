"""Conversion of whole slides: pyramids of their pixels, changed or not."""
