"""Which tokens each training step and each evaluation batch sees, as a pure function of the shards and a seed."""
