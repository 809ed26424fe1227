"""Notebooks: executing them, the walkthrough through all of them, JupyterLab, and the exported pages."""
