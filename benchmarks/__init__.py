"""Benchmarks: ``python -m benchmarks meter``; each prints ratios measured in one run.

A benchmark is a module ``bench_<name>.py`` with a function ``report(repeats)`` that returns a
`benchmarks.harness.Report`. The libraries compared with are listed in ``peers.txt``; one that is
not installed is reported as absent.
"""
