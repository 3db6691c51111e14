"""TIFF slides of all vendors: directories, images, stored tiles."""
