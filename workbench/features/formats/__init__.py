"""Layouts of feature files, one module each."""
