"""Threads and files: what the operating system gives, made safe to use."""
