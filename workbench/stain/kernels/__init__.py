"""Kernels that map pixels: compiled for the CPU, and as tensors."""
