"""The app in Jupyter: cells, widgets and the Launcher."""
