"""Methods of stain normalization."""
