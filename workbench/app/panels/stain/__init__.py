"""Stain normalization: method, reference, fit, comparison of slides."""
