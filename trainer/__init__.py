"""The reference trainer: a small, exact Qwen2 language model trained on verified token shards.

Read it in this order: `trainer.model` (the architecture), `trainer.data` (which tokens a step sees),
`trainer.optimizer` (how the step moves the weights), `trainer.checkpoint` (what survives a crash),
`trainer.evaluate` (bits per byte) and `trainer.train` (the loop that joins them).
"""
