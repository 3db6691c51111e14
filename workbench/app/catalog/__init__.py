"""What a server offers: slides, runs and references."""
