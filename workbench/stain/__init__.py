"""Stain normalization: bringing a slide into the colours of a reference."""
