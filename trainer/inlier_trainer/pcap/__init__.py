"""Captures: the windows of packet-level counters that a device would have
counted, read in bounded memory.
"""
