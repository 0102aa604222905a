"""The benchmark's model in plain C on the emulated Cortex-M0: what a
hand-written loop costs there.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inlier_boards.catalogue import Board
from inlier_boards.emulators.emulator import ANSWER_S, killed_after, qemu_command
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.reference import Detector

SOURCE = Path(__file__).parent / "c"
TIMES = 20
FLAGS = (
    "-O2",
    "-mcpu=cortex-m0",
    "-mthumb",
    "-ffreestanding",
    "-nostdlib",
    "-std=c99",
    "-Wall",
    "-Werror",
)


def measure(board: Board, detector: Detector, f: NDArray[np.int16]) -> tuple[float, float]:
    """Instructions of the autoencoder's and of the one-class SVM's score of log
    features f (features,). Raises BadInput.
    """
    assert board.build and board.emulator
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.h").write_text(header(detector, f))
        elf = Path(folder) / "score.elf"
        command = [board.build.compiler, *FLAGS, f"-I{folder}", f"-T{SOURCE / 'nrf51.ld'}"]
        done = subprocess.run(
            [*command, SOURCE / "score.c", "-o", elf, "-lgcc"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            problem = next(
                (line for line in done.stderr.splitlines() if "error" in line), "no message"
            )
            raise BadInput(f"{problem}; check {board.build.compiler}")
        words = _run(board, elf)
    ae, svm, ae_ticks, svm_ticks = (int(word) for word in words)
    trace = reference.score(detector, f[None])
    expected = int(trace.ae[0]), int(trace.svm[0])
    if (ae, svm) != expected:
        raise BadInput(f"the C code scores {ae} and {svm}, the reference {expected}: report it")
    per = board.emulator.instructions_per_tick / TIMES
    return ae_ticks * per, svm_ticks * per


def _run(board: Board, elf: Path) -> list[str]:
    process = subprocess.Popen(
        [*qemu_command(board, elf), "-serial", "stdio"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        with killed_after(ANSWER_S, process):
            return process.stdout.readline().split()
    finally:
        process.kill()
        process.wait()


def header(detector: Detector, f: NDArray[np.int16]) -> str:
    """model.h of a detector and the log features of a window."""
    widths = [len(layer.weights) for layer in detector.layers]
    lines = [
        f"#define FEATURES {detector.features}",
        f"#define LAYERS {len(detector.layers)}",
        f"#define WIDEST {max(widths)}",
        f"#define TIMES {TIMES}",
        f"#define INPUT {_list(reference.inputs(f, detector.offset, detector.input_shift))}",
        f"#define LOGS {_list(f)}",
        f"#define SIDES {2 if detector.by_rows else 1}",
        "struct layer { int rows, cols; const int8_t *weights; const int32_t *bias; const "
        "uint8_t *shift; };",
        "struct feature { int16_t offset, high, low, far; uint8_t shift, over, under, beyond; };",
    ]
    table = []
    for i, layer in enumerate(detector.layers):
        rows, cols = layer.weights.shape
        lines.append(f"static const int8_t weights_{i}[] = {_list(layer.weights.reshape(-1))};")
        lines.append(f"static const int32_t bias_{i}[] = {_list(layer.bias)};")
        lines.append(f"static const uint8_t shift_{i}[] = {_list(layer.shift)};")
        table.append(f"{{{rows}, {cols}, weights_{i}, bias_{i}, shift_{i}}}")
    lines.append(f"static const struct layer layers[LAYERS] = {{{', '.join(table)}}};")
    fields = ("offset", "high", "low", "far", "input_shift")
    columns = [getattr(detector, name) for name in fields]
    rows_of = np.concatenate([np.stack(columns, axis=1), detector.weights], axis=1)
    features = ", ".join(_list(row) for row in rows_of)
    lines.append(f"static const struct feature features[FEATURES] = {{{features}}};")
    return "\n".join(lines) + "\n"


def _list(values: NDArray[np.generic]) -> str:
    return "{" + ", ".join(str(int(v)) for v in values) + "}"
