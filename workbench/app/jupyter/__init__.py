"""The app in Jupyter: cells, ipywidgets and the Launcher."""
