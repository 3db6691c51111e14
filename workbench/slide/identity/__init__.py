"""Identification of slides: ids computed from the content, detection of changes."""
