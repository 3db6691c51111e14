"""TIFF slides of all makers, read by their stored tiles."""
