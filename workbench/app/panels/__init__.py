"""Panels of the sidebar, each with the controls of one task on the open slide."""
