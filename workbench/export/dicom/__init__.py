"""DICOM objects: slides, and results that refer to them."""
