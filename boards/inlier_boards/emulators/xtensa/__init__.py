"""The ESP32's instruction set in QEMU: a kernel's native code for Xtensa, run
alone, without MicroPython around it.
"""
