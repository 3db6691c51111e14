"""Models: finding them, building them and running them on tiles."""
