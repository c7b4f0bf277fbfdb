"""What Lightning is asked for, and what is refused."""
