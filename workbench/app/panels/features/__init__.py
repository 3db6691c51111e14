"""Features of tiles from any tool: files, overlays, strips and maps of tiles."""
