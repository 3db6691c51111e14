"""Results of a run: its folder, its heatmap, vectors and instances."""
