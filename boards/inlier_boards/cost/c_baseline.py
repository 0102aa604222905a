"""The benchmark's model in plain C on the emulated Cortex-M0: what a
hand-written loop costs there.
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inlier_boards.board import Board
from inlier_boards.emulators.emulator import ANSWER_S, killed_after, qemu_command
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.reference import Bytes, Detector

SOURCE = Path(__file__).parent / "c_baseline"
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


def measure(board: Board, detector: Detector, x: Bytes) -> tuple[float, float]:
    """Instructions of an autoencoder's and of an SVM's score of the quantised
    features x (features,). Raises BadInput.
    """
    assert board.build and board.emulator
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.h").write_text(header(detector, x))
        elf = Path(folder) / "baseline.elf"
        command = [board.build.compiler, *FLAGS, f"-I{folder}", f"-T{SOURCE / 'nrf51.ld'}"]
        done = subprocess.run(
            [*command, SOURCE / "baseline.c", "-o", elf, "-lgcc"],
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
    expected = (
        int(reference.autoencoder_score(x[None], detector.layers)[0]),
        int(reference.svm_score(x[None], detector.knots, detector.svm_weights)[0]),
    )
    if (ae, svm - (1 << 30)) != expected:
        raise BadInput(
            f"the C baseline scores {ae} and {svm - (1 << 30)}, the reference {expected}: report it"
        )
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


def header(detector: Detector, x: Bytes) -> str:
    """model.h of a detector and an input."""
    widths = [len(layer.weights) for layer in detector.layers]
    lines = [
        f"#define FEATURES {detector.features}",
        f"#define LAYERS {len(detector.layers)}",
        f"#define KNOTS {len(detector.knots)}",
        f"#define WIDEST {max(widths)}",
        f"#define TIMES {TIMES}",
        f"#define INPUT {_list(x)}",
        "struct layer { int rows, cols; const int8_t *weights; const int32_t *bias; const "
        "uint8_t *shift; };",
    ]
    table = []
    for i, layer in enumerate(detector.layers):
        rows, cols = layer.weights.shape
        lines.append(f"static const int8_t weights_{i}[] = {_list(layer.weights.reshape(-1))};")
        lines.append(f"static const int32_t bias_{i}[] = {_list(layer.bias)};")
        lines.append(f"static const uint8_t shift_{i}[] = {_list(layer.shift)};")
        table.append(f"{{{rows}, {cols}, weights_{i}, bias_{i}, shift_{i}}}")
    lines.append(f"static const struct layer layers[LAYERS] = {{{', '.join(table)}}};")
    lines.append(f"static const uint8_t knots[KNOTS] = {_list(np.asarray(detector.knots))};")
    weights = detector.svm_weights.reshape(-1)
    lines.append(f"static const int8_t svm_weights[2 * KNOTS * FEATURES] = {_list(weights)};")
    return "\n".join(lines) + "\n"


def _list(values: NDArray[np.generic]) -> str:
    return "{" + ", ".join(str(int(v)) for v in values) + "}"
