"""Nuclei as instances: a bundled network with its decoder, and a watershed."""
