"""Nuclei as instances: a bundled network with its decoder; a way without weights."""
