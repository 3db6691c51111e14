"""Panels: what can be done with the open slide."""
