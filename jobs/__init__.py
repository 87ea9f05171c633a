"""Beam pipelines (thin wiring) and the `glotmill` command line."""
