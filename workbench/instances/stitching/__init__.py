"""Instances at tile borders: claims of tiles, resolved into one set."""
