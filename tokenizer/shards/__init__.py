"""Token shards: files of token ids that five trainers read without a copy, with checksums for every MiB."""
