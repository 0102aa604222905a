"""Talks to a board over its serial port: commands, live lines, recordings."""
