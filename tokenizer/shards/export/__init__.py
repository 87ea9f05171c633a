"""Handing token shards to other trainers: their names and indexes beside the same files, or their own formats."""
