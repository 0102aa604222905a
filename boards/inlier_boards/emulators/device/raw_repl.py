"""MicroPython's raw REPL, which its Unix port lacks, as far as mpremote uses
it.

Arguments: none to run main.py first, "prompt" not to, "raw" to begin in the raw
REPL. Ends for a soft reset, with code 3 for one within the raw REPL: whoever
started it starts it again.
"""

import io
import sys

_PASTE_WINDOW = 1024


def put(data):
    sys.stdout.buffer.write(data)


def run(code, names):
    try:
        exec(code, names)
    except Exception as error:
        trace = io.StringIO()
        sys.print_exception(error, trace)
        return trace.getvalue().encode()
    except KeyboardInterrupt:
        return b"Traceback (most recent call last):\r\nKeyboardInterrupt: \r\n"
    return b""


def friendly():
    try:
        with open("main.py") as f:
            code = f.read()
    except OSError:
        return
    put(run(code, {"__name__": "__main__"}))


def prompt(raw):
    put(b"raw REPL; CTRL-B to exit\r\n>" if raw else b"MicroPython\r\n>>> ")


def pasted():
    """Raw paste mode: code up to a Ctrl-D; the sender waits after each window
    until it is told to go on.
    """
    put(b"R\x01" + _PASTE_WINDOW.to_bytes(2, "little"))
    code = bytearray()
    while True:
        byte = sys.stdin.buffer.read(1)
        if byte == b"\x04":
            put(byte)
            return bytes(code)
        code += byte
        if len(code) % _PASTE_WINDOW == 0:
            put(b"\x01")


def loop(raw):
    names = {"__name__": "__main__"}
    code = b""
    while True:
        try:
            byte = sys.stdin.buffer.read(1)
            if not byte:
                return 1
            if byte == b"\x04":
                if not raw or not code:
                    put(b"OK\r\nMPY: soft reboot\r\n")
                    return 3 if raw else 0
                put(b"OK")
                error = run(code, names)
                put(b"\x04" + error + b"\x04>")
                code = b""
            elif byte in b"\x01\x02" and not code.startswith(b"\x05"):
                raw = byte == b"\x01"
                code = b""
                prompt(raw)
            elif raw:
                code += byte
                if code == b"\x05A\x01":
                    error = run(pasted(), names)
                    put(b"\x04" + error + b"\x04>")
                    code = b""
                elif code == b"\r":
                    code = b""
        except KeyboardInterrupt:
            code = b""


sys.path[0] = ""  # as on a board: not where this file lies
raw = sys.argv[1:] == ["raw"]
begun = len(sys.argv) > 1
while True:
    try:
        if not begun:
            begun = True
            put(b"\r\n")
            friendly()
        prompt(raw)
        sys.exit(loop(raw))
    except KeyboardInterrupt:
        pass
