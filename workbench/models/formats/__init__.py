"""Files that models come in."""
