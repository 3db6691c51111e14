"""Verbs of the group `workbench` about files that are exchanged."""
