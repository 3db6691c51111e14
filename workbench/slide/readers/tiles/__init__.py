"""Reader of folders of tiles."""
