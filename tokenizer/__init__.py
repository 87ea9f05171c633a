"""Byte-level BPE tokenizers (training, evaluation, export, encoding) and verified token shards."""
