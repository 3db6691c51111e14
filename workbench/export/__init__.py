"""Runs in the formats of other tools. Nothing here needs torch."""

from workbench.export.dispatch import EXPORTS, export_scores

__all__ = ["EXPORTS", "export_scores"]
