"""`inlier selfcheck`: attacks the runtime where it runs (CPython and
MicroPython here, emulated boards), and counts.

One file a check. The same ones, with other numbers, are the tests of CI and of
the nightly run.
"""
