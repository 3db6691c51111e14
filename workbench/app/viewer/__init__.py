"""The deep-zoom viewer of a slide."""
