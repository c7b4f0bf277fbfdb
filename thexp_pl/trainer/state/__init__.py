"""What a facade Trainer holds, and what of it a checkpoint does."""
