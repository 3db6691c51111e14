"""Training of networks: recipe, examples, augmentation, steps, checkpoints."""
