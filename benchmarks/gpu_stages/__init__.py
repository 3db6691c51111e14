"""The stages of `benchmarks/gpu.py`: each checks and measures one part on a device."""
