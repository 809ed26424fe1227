"""Diagrams drawn from the inventory: canvas, layout, routing, rendering, and a Mermaid version."""
