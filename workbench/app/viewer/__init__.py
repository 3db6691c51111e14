"""The viewer of a slide."""
