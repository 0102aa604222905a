"""Counts packets as it is told, a line a command: CPython and MicroPython."""

import sys

from inlier import packets_linux

ms = 0
source = packets_linux.Linux(sys.argv[1], clock=lambda: ms)
values = [0] * len(source.counters)
print("ready")
for line in sys.stdin:
    command, _, number = line.strip().partition(" ")
    if command == "at":
        ms = int(number)
    elif command == "drain":
        source.drain()
        print("drained")
    elif command == "read":
        source.read(values)
        print(source.lost, " ".join(map(str, values)))
