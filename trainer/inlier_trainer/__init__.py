"""Reads windows, fits, calibrates, evaluates; and the command line."""
