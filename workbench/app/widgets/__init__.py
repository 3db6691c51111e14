"""Widgets of the panels."""
