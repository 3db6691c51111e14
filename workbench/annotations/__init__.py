"""Annotations: what people mark on a slide, saved, measured and exchanged."""
