"""Boards, real and emulated, and the MicroPython that the project builds for
itself.
"""
