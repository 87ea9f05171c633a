"""Signals (numbers about a document) and policies (decisions from numbers)."""
