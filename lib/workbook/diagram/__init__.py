"""Diagrams drawn from the inventory: canvas, layout, routing, rendering, and the same as Mermaid."""
