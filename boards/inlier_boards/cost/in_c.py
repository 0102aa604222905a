"""The benchmark's model in plain C on the emulated boards: what a hand-written
loop costs there.
"""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inlier_boards.catalogue import Board
from inlier_boards.emulators.emulator import ANSWER_S, killed_after, qemu_command
from inlier_boards.leash import leashed
from inlier_export import reference
from inlier_export.errors import BadInput
from inlier_export.reference import Detector

SOURCE = Path(__file__).parent / "c"
TIMES = 20
# Of a board of MicroPython's qemu port, or of build/qemu: what drives its
# serial line, and where its memory lies.
MACHINES = {
    "MICROBIT": ("microbit.h", "cortex_m.ld"),
    "MPS2_AN385": ("mps2.h", "cortex_m.ld"),
    "MPS2_AN505": ("an505.h", "an505.ld"),
    "VIRT_RV32": ("virt.h", "virt.ld"),
}
FLAGS = ("-ffreestanding", "-nostdlib", "-std=gnu99", "-Wall", "-Werror")
# Loops stay loops: there is no memset to call.
LOOPS = "-fno-tree-loop-distribute-patterns"


@dataclass(frozen=True)
class InC:
    """Instructions of a score: the autoencoder's as a C programmer would write
    it and in the model file's layout, and the one-class SVM's.

    cmsis_nn: the autoencoder's by that library, None where it is not.
    """

    as_written: float
    same_layout: float
    svm: float
    cmsis_nn: float | None = None


def measure(
    board: Board,
    detector: Detector,
    f: NDArray[np.int16],
    optimise: str = "-O2",
    times: int = TIMES,
) -> InC:
    """Of log features f (features,). Raises BadInput.

    times: how often each is called.
    """
    assert board.emulator
    model = header(detector, f, times)
    words = run(board, [SOURCE / "score.c"], "model.h", model, optimise, LOOPS, *cmsis_nn(board))
    ae, by_four, svm, *ticks = (int(word) for word in words)
    trace = reference.score(detector, f[None])
    expected = int(trace.ae[0]), int(trace.svm[0])
    if (ae, svm) != expected or by_four != ae:
        raise BadInput(
            f"the C code scores {ae}, {by_four} and {svm}, the reference {expected}: report it"
        )
    per = board.emulator.instructions_per_tick / times
    return InC(*(n * per for n in ticks))


def run(board: Board, sources: list[Path], name: str, text: str, *flags: str) -> list[str]:
    """Compile C that includes bare.h and the header `name` with `text`, and run
    it: the words that it says. Raises BadInput.
    """
    assert board.build
    how = board.build
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_text(text)
        elf = Path(folder) / "bare.elf"
        machine, script = MACHINES[how.board]
        command = [how.compiler, *how.core, *FLAGS, f"-I{folder}", f"-I{SOURCE}"]
        command += [f'-DMACHINE="{machine}"', f"-T{SOURCE / script}"]
        done = subprocess.run(
            [*command, *sources, "-o", elf, *flags, "-lgcc"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            problem = next(
                (line for line in done.stderr.splitlines() if "error" in line), "no message"
            )
            raise BadInput(f"{problem}; check {how.compiler}")
        return said(board, elf).split()


def cmsis_nn(board: Board) -> list[str]:
    """The compiler's further arguments where INLIER_CMSIS_NN names the
    library's folder; it is for Cortex-M alone. Raises BadInput.
    """
    named = os.environ.get("INLIER_CMSIS_NN")
    assert board.build
    if not named or not board.mpy_arch.startswith("arm"):
        return []
    folder = Path(named).resolve()
    sources = [
        folder / "Source" / path
        for path in (
            "FullyConnectedFunctions/arm_fully_connected_s8.c",
            "NNSupportFunctions/arm_nn_vec_mat_mult_t_s8.c",
        )
    ]
    if missing := next((path for path in sources if not path.is_file()), None):
        raise BadInput(f"INLIER_CMSIS_NN={named}: there is no {missing}: name CMSIS-NN's folder")
    # The library's memcpy of a word is to be one load.
    return ["-DCMSIS_NN", f"-I{folder}/Include", "-fbuiltin", *map(str, sources)]


def said(board: Board, elf: Path) -> str:
    """The first line that a program prints on an emulated board's UART."""
    process = subprocess.Popen(
        leashed([*qemu_command(board, elf), "-serial", "stdio"]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        with killed_after(ANSWER_S, process):
            return process.stdout.readline()
    finally:
        process.kill()
        process.wait()


def header(detector: Detector, f: NDArray[np.int16], times: int = TIMES) -> str:
    """model.h of a detector and the log features of a window."""
    widths = [len(layer.weights) for layer in detector.layers]
    lines = [
        f"#define FEATURES {detector.features}",
        f"#define LAYERS {len(detector.layers)}",
        f"#define WIDEST {max(widths) + 3 & -4}",
        f"#define TIMES {times}",
        f"#define INPUT {_list(reference.inputs(f, detector.offset, detector.input_shift))}",
        f"#define LOGS {_list(f)}",
        f"#define SIDES {2 if detector.by_rows else 1}",
        "struct layer { int rows, cols; const int8_t *weights; const uint8_t *by_four; const "
        "int32_t *bias; const uint8_t *shift; };",
        "struct feature { int16_t offset, high, low, far; uint8_t shift, over, under, beyond; };",
    ]
    table = []
    for i, layer in enumerate(detector.layers):
        rows, cols = layer.weights.shape
        lines.append(f"static const int8_t weights_{i}[] = {_list(layer.weights.reshape(-1))};")
        rest = -rows % 4  # rows that fill the last four
        filled = np.pad(layer.weights.astype(np.int16) + 128, ((0, rest), (0, 0)))
        by_four = filled.reshape(-1, 4, cols).transpose(0, 2, 1)
        lines.append(f"static const uint8_t by_four_{i}[] = {_list(by_four.reshape(-1))};")
        for name, kind in (("bias", "int32_t"), ("shift", "uint8_t")):
            values = np.pad(getattr(layer, name), (0, rest))
            lines.append(f"static const {kind} {name}_{i}[] = {_list(values)};")
        table.append(f"{{{rows}, {cols}, weights_{i}, by_four_{i}, bias_{i}, shift_{i}}}")
    lines.append(f"static const struct layer layers[LAYERS] = {{{', '.join(table)}}};")
    fields = ("offset", "high", "low", "far", "input_shift")
    columns = [getattr(detector, name) for name in fields]
    rows_of = np.concatenate([np.stack(columns, axis=1), detector.weights], axis=1)
    features = ", ".join(_list(row) for row in rows_of)
    lines.append(f"static const struct feature features[FEATURES] = {{{features}}};")
    return "\n".join(lines) + "\n"


def _list(values: NDArray[np.generic]) -> str:
    return "{" + ", ".join(str(int(v)) for v in values) + "}"
