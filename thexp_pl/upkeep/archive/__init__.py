"""Runs as one file: a zip with the run folders, their code, and a table of contents with hashes.

::

    runs/<experiment>/<key>/...   the files of each run
    code.pack                     the trees of their code, as git packs them
    thexp_pl.json                 the table: format, version, runs, files, links; the last entry

`layout` says what may stand in the table, `writing` makes such a file, `reading` believes nothing
in one, and `importing` brings its runs into a root.
"""
