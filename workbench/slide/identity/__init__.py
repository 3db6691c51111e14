"""What identifies a slide: ids that follow from its content."""
