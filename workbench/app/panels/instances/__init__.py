"""Instances of a run: filters, counts, plots, table."""
