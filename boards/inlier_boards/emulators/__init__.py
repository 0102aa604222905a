"""Boards without hardware: QEMU, and Unix MicroPython behind a serial port."""
