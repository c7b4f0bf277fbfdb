"""Checking records: every hash that was written down, against what is there now."""
