"""The live pages: all runs in a browser on this machine, kept fresh while they go.

``serving`` is the process, ``guard`` who may ask, ``app`` the addresses; ``catalog`` is the runs by
their ids, and ``listing``, ``sparks``, ``updates`` and ``editing`` are what is answered of them.

Starlette and uvicorn come with the extra ``[ui]``; ``answers``, ``app`` and ``serving`` import
them.
"""
