"""Layers: what can be drawn over a slide, as deep-zoom tiles."""
