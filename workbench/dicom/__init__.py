"""DICOM slides as results refer to them, and results read from DICOM objects."""
