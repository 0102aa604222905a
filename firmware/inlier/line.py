"""The lines that inlier prints among what the application prints, or keeps in
files. Each says one thing, and ends in ` *` and the CRC-32 of what is before
it, in hex:

    ~b WINDOW_MS SOURCE NAME,NAME,… DEVICE FIRMWARE CLOCK recorder.py, at boot
                                                          and before every 32nd
                                                          window
    ~w BOOT INDEX ELAPSED DELTA,DELTA,…                   a window
    ~w BOOT INDEX ELAPSED DELTA,DELTA,… AE SVM HOT EVENT  one that was scored
    ~e {JSON}                                             sinks/lines.py: an
                                                          event, as over MQTT

BOOT is another number after each boot (0 on a board that has none), INDEX
counts from 0 at boot, ELAPSED is over 1 after missed ticks and 0 where counts
were lost: the line is then no window. DEVICE and CLOCK are - where there is
none. The computer's side is inlier_boards/serial_line/lines.py.
"""

from .model import crc32


def seal(text):
    return "%s *%08x" % (text, crc32(text.encode()) & 0xFFFFFFFF)
