"""Runs beside one another: what differs between two or many, and statistics of repeats."""
