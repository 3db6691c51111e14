"""Channels of slides that are not RGB: stored values, contrast, composite."""
