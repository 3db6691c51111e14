"""Learning classes of tiles from annotations, while one looks."""
