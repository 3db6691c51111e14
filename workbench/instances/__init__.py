"""Instances: objects found on a slide, each with an outline, a class and a score."""
