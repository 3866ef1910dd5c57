"""Training: an iterator, its optimisers, its checkpoints, and what a model is compared with."""
