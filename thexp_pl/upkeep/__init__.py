"""Keeping records: tags, the trash, dropping what nothing needs, checking, and runs as one file."""
