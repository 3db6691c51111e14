"""Databases, folders and sessions that other tools open, one module each."""
