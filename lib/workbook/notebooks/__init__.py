"""Notebooks: executing one, the walkthrough of all of them, JupyterLab, and the exported pages."""
