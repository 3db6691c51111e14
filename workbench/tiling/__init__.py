"""Tiles: the grid over a slide, and reading its tiles ahead."""
