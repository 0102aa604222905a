"""The demo: a doorbell on Unix MicroPython learns its own traffic and catches its own infection."""
