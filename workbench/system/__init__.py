"""Threads, files and paths of the operating system, made safe to use."""
