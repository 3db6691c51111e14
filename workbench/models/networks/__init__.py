"""Networks that are built in Python."""
