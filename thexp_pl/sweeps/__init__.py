"""Sweeps: many runs of one command, on this machine or by the engine that a user has."""

from __future__ import annotations

__all__: list[str] = []
