"""Runs again: restoring a recorded run's code and state, running it anew, going on from it."""
