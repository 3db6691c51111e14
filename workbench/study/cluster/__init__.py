"""Clusters of Dask: their keys, and workers that they place and supervise."""
