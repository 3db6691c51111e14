"""Areas on the slide: painted, proposed, combined, copied."""
