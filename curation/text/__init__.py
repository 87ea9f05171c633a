"""The compiled text scan: one pass over a batch's UTF-8 buffer finds characters, units, lines and paragraphs."""
