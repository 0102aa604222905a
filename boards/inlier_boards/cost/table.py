"""What was measured, as the committed table and on the terminal."""

import subprocess

from rich.console import Console
from rich.table import Table

from inlier_boards.catalogue import FOLDER

from . import xtensa
from .bench import CYCLES_PER_INSTRUCTION, KernelCost, alone_summary

TABLE = FOLDER / "BENCH.md"
HEAD = f"""# What inlier costs on the emulated boards

Made by `inlier bench --table boards/BENCH.md`; a test makes it again and
compares. Instructions are counted by QEMU (`-icount`), the same at every run;
milliseconds are derived from them, at the clock of the boards that the emulated
one stands for and {CYCLES_PER_INSTRUCTION} cycles an instruction. Nothing here
was measured on hardware.

- *MAC*: instructions per multiply-accumulate over a whole autoencoder score,
  requantisation included.
- *score*: autoencoder and one-class SVM. The model is 115-16-4-16-115 over rows.
- *quiet*: a whole window of a device that counts with `sockets`: 14 counters,
  56 features (56-16-56), five horizons; reading, subtracting, features, scores
  and alarm. *1*, *30*: one after a contact, and after thirty; *ms*: the latter
  in milliseconds; *scored*: all that comes after reading and subtracting, of a
  busy window.
- *contact*, *connect*, *send*: what counting adds to a sendto to a dotted
  address, a connect to it, and a send on a stream. The native `socket` below
  stands in (cost/device/no_network.py): these boards have no network.
- *heap*: bytes for runtime, model and work buffer of the 115-input model,
  frozen, beyond the bare interpreter.
- *kept*, *peak*: bytes of heap that a window keeps, and takes for a while, in
  the steady state.
- *flash*: bytes of the frozen runtime with the board's own kernel alone.
- *to C*: a score against the same arithmetic in plain C at `-O2`, sizes known to
  the compiler, on the same core, as a C programmer would write it: int8 weights
  by rows; *laid out*: against C with the model file's layout, four rows
  interleaved. `qemu_m3` alone loses to it: C multiplies and adds in one
  instruction there, and `thumb` is written for cores that have none. A kernel of
  its own would serve no board that inlier supports: none has a Cortex-M3.

"""
PACKETS = """
## A packet

Instructions that the C module of the source `packets` (`firmware/lwip`) adds to
a packet between driver and lwIP, on `{board}`, built with `-Os` as MicroPython
builds for the Pico W. A packet with SYN or RST also asks the clock, which is
not counted.

| packet | instructions |
| --- | ---: |
"""
XTENSA = """
## Xtensa, for the ESP32 and ESP32-S3

Stands for their instruction set alone: what MicroPython's compiler makes of the
kernel `viper`, on QEMU's core dc232b, without MicroPython around it. A call's
arguments are pointers already; their conversion, and all that belongs to a board
(heap, flash, a whole window, milliseconds), is not counted. *feature*: of the
device with 12 counters.

| for | kernel | MAC | score | feature |
| --- | --- | ---: | ---: | ---: |
| {board} | {kernel} | {instructions_per_mac:.2f} | {instructions_per_score:,} | \
{instructions_per_feature} |
"""


def table(results: list[KernelCost], alone: xtensa.Alone | None) -> str:
    """The committed table, Markdown."""
    lines = [
        " | ".join(cells)
        for cells in (COLUMNS, ["---"] * 2 + ["---:"] * (len(COLUMNS) - 2), *map(_cells, results))
    ]
    rows = "".join(f"| {line} |\n" for line in lines)
    xtensa_s = XTENSA.format(**alone_summary(alone)) if alone else ""
    return HEAD + rows + "\n" + _built_with(results) + xtensa_s + _packets(results)


def _packets(results: list[KernelCost]) -> str:
    measured = next((result for result in results if result.packets), None)
    if measured is None or measured.packets is None:
        return ""
    rows = "".join(f"| {kind} | {n} |\n" for kind, n in measured.packets.items())
    return PACKETS.format(board=measured.board.name) + rows


COLUMNS = (
    "board",
    "kernel",
    "MAC",
    "score",
    "scored",
    "quiet",
    "1",
    "30",
    "ms",
    "contact",
    "connect",
    "send",
    "heap",
    "kept",
    "peak",
    "flash",
    "to C",
    "laid out",
)


def _cells(result: KernelCost) -> list[str]:
    s = result.summary()
    return [
        str(s["board"]),
        str(s["kernel"]),
        f"{s['instructions_per_mac']:.2f}",
        f"{s['instructions_per_score']:,}",
        f"{s['instructions_per_scored_window']:,}",
        f"{s['instructions_per_window_quiet']:,}",
        f"{s['instructions_per_window_contact']:,}",
        f"{s['instructions_per_window_thirty_contacts']:,}",
        f"{s['window_ms_derived']:.2f}",
        f"{s['instructions_per_contact']:,}",
        f"{s['instructions_per_connect']:,}",
        f"{s['instructions_per_send']:,}",
        f"{s['heap_bytes']:,}",
        f"{s['heap_kept_by_a_window_bytes']}",
        f"{s['heap_peak_of_a_window_bytes']}",
        f"{s['flash_bytes']:,}" if "flash_bytes" in s else "",
        f"{s['to_c']:.2f}",
        f"{s['to_c_same_layout']:.2f}",
    ]


def show(results: list[KernelCost], alone: xtensa.Alone | None) -> None:
    """The same columns on the terminal."""
    console = Console()
    title = "Instructions and bytes; milliseconds are derived from the board's clock"
    middle = COLUMNS.index("contact")
    for part in (range(2, middle), range(middle, len(COLUMNS))):  # a terminal is 80 wide
        shown = Table(title=title, box=None, padding=(0, 1, 0, 0))
        for i in (0, 1, *part):
            shown.add_column(COLUMNS[i], justify="left" if i < 2 else "right", no_wrap=True)
        for result in results:
            cells = _cells(result)
            shown.add_row(*(cells[i] for i in (0, 1, *part)))
        if alone and part.start == 2:  # COLUMNS has MAC and score next
            of = alone_summary(alone)
            shown.add_row(
                xtensa.NAME,
                xtensa.KERNEL,
                f"{of['instructions_per_mac']:.2f}",
                f"{of['instructions_per_score']:,}",
            )
        console.print(shown)
        title = ""
    console.print("What each column is stands at the head of the file that --table writes.")


def _built_with(results: list[KernelCost]) -> str:
    compilers = dict.fromkeys(r.board.build.compiler for r in results if r.board.build)
    versions = ", ".join(compiler_version(c) for c in compilers)
    return (
        f"Built with {versions}. Another compiler changes what the interpreter "
        "costs, not\nthe kernels in native code.\n"
        "\n`array` is measured where INLIER_ULAB names a folder with ulab's source: with ulab "
        "6.12.0 a score of the\nautoencoder 48-16-48 took it 433,680 instructions on `qemu_m3`, "
        "`plain` 1,469,120;\nof 4-13-4-13-4, the model of one counter, 147,680 and 346,660: it "
        "comes before `plain`, whatever the size. CMSIS-NN is\nmeasured where INLIER_CMSIS_NN "
        "names its folder, for `--json`: 19.1.0 took 10.48 instructions a MAC on `qemu_m0`, 5.28\n"
        "on `qemu_m3`, 4.23 on a Cortex-M4. Neither was there when this table was made.\n"
    )


def compiler_version(compiler: str) -> str:
    """'arm-none-eabi-gcc 12.2.1'."""
    done = subprocess.run([compiler, "-dumpversion"], capture_output=True, text=True, check=True)
    return f"{compiler} {done.stdout.strip()}"
