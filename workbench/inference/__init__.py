"""Inference: a recipe on a slide, from its plan to its results."""
