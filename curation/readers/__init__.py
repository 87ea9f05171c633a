"""Readers: input files to batches of raw documents, and what could not be read to dead records."""
