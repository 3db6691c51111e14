"""The app: the viewer, its controls, and the doors it is reached by."""
