"""Training of models from the annotations of the app."""
