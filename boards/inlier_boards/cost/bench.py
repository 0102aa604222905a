"""`inlier bench`: instructions, heap and flash of the runtime on the emulated
boards, the same at every run.
"""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from inlier_boards.build import bench_models
from inlier_boards.build.firmware import build
from inlier_boards.catalogue import Board, emulator, read_board
from inlier_boards.emulators.emulator import COUNTING, emulated
from inlier_export import reference
from inlier_export.reference import Detector
from inlier_trainer.progress import Progress, quiet

from . import in_c, packet, ulab, xtensa

PACKETS_BOARD = "qemu_m0"  # the Pico W's instruction set
TIMES = {"dsp": 20, "thumb": 20, "rv32": 20, "viper": 20, "array": 2, "plain": 2}
# Loads and stores take two cycles on a Cortex-M0+ and taken branches two, the
# rest one (ARM DDI 0484C, table 3-1): with the runtime's mixture 1.4. Assumed
# for the others too.
CYCLES_PER_INSTRUCTION = 1.4
DEVICE = Path(__file__).parent / "device"
SCRIPTS = [DEVICE / f"{name}.py" for name in ("bench", "bench_sockets", "no_network")]


@dataclass
class Measured:
    """Of one model with one kernel: instructions of one call each; bytes of
    heap for runtime and model, taken for the time of a window, and kept by one.
    """

    features: float
    autoencoder: float
    evidence: float
    scored: float
    heap: int
    transient: int
    kept: int


@dataclass
class CountingCost:
    """Instructions with the source `sockets`: of a window that was quiet, after
    one contact, after thirty; of counting a send, a connect, a sendto.
    """

    window_quiet: float
    window_contact: float
    window_contacts: float
    send: float
    connect: float
    contact: float


@dataclass
class KernelCost:
    """of: by name in bench_models.
    in_c: the same in C on that board.
    packets: of firmware/lwip, by kind of packet, where that was measured.
    version: of the library that the kernel calls.
    """

    board: Board
    kernel: str
    of: dict[str, Measured]
    counted: CountingCost
    frozen_bytes: int
    in_c: in_c.InC
    packets: dict[str, int] | None
    version: str = ""

    def summary(self) -> dict[str, object]:
        large, device, counted = self.of["LARGE"], self.of["DEVICE"], self.counted
        score = large.autoencoder + large.evidence
        row: dict[str, object] = {
            "board": self.board.name,
            "kernel": f"{self.kernel}, {self.version}" if self.version else self.kernel,
            "instructions_per_mac": round(large.autoencoder / macs(bench_models.large()), 2),
            "instructions_per_autoencoder_score": round(large.autoencoder),
            "instructions_per_svm_score": round(large.evidence),
            "instructions_per_scored_window": round(device.scored),
            "instructions_per_score": round(score),
            "instructions_per_feature": round(device.features / bench_models.device().features),
            "instructions_per_window_quiet": round(counted.window_quiet),
            "instructions_per_window_contact": round(counted.window_contact),
            "instructions_per_window_thirty_contacts": round(counted.window_contacts),
            "instructions_per_contact": round(counted.contact),
            "instructions_per_connect": round(counted.connect),
            "instructions_per_send": round(counted.send),
            "window_ms_derived": derived_ms(counted.window_contacts, self.board),
            "heap_bytes": large.heap,
            "heap_bytes_device_model": device.heap,
            "heap_kept_by_a_window_bytes": max(large.kept, device.kept),
            "heap_peak_of_a_window_bytes": max(large.transient, device.transient),
        }
        if self.kernel == self.board.kernel:
            row["flash_bytes"] = self.frozen_bytes
        c = self.in_c
        row["to_c"] = round(score / (c.as_written + c.svm), 2)
        row["to_c_same_layout"] = round(score / (c.same_layout + c.svm), 2)
        if self.packets:
            row["instructions_per_packet"] = self.packets
        if c.cmsis_nn:
            per_mac = c.cmsis_nn / macs(bench_models.large())
            row["instructions_per_mac_of_cmsis_nn"] = round(per_mac, 2)
        return row


def derived_ms(instructions: float, board: Board) -> float:
    """What so many instructions mean at the clock of the boards that an
    emulated one stands for.
    """
    return round(instructions * CYCLES_PER_INSTRUCTION / board.clock_hz * 1000, 3)


def macs(detector: Detector) -> int:
    return sum(layer.weights.size for layer in detector.layers)


def measure(name: str, progress: Progress = quiet) -> list[KernelCost]:
    """All kernels of an emulated board, its own alone of one that is like
    another; with `array` where there is ulab. Raises BadInput.
    """
    place = read_board(name)
    results = _measure(place, place.kernels[:1] if place.like else place.kernels, progress)
    if found := ulab.board(place):
        with_ulab, version = found
        (result,) = _measure(with_ulab, ("array",), progress)
        results.append(replace(result, version=f"ulab {version}"))
    return results


def _measure(place: Board, kernels: tuple[str, ...], progress: Progress) -> list[KernelCost]:
    name = place.name
    qemu = emulator(place)
    total = len(kernels) * len(bench_models.MODELS)
    progress(name, 0, total)
    frozen = build(place)
    detector = bench_models.large()
    deltas = np.asarray([[37 * i for i in range(len(detector.counters))]])
    compared = in_c.measure(place, detector, reference.run(detector, deltas).f[0])
    packets = packet.measure(place) if name == PACKETS_BOARD else None
    results = []
    done = 0
    for kernel in kernels:
        measured: dict[str, Measured] = {}
        for model in bench_models.MODELS:
            with emulated(
                place
            ) as device:  # each from boot: what one leaves in memory is no other's
                device.mount(16384)
                device.copy(*COUNTING, *SCRIPTS)
                arguments = (model, kernel, qemu.timer, qemu.instructions_per_tick, TIMES[kernel])
                said = device.execute(f"import bench; bench.main(*{arguments!r})")
                found = json.loads(said)
            if model == "DEVICE":
                counted = CountingCost(*(found.pop(field.name) for field in fields(CountingCost)))
            measured[model] = Measured(**found)
            done += 1
            progress(name, done, total)
        results.append(
            KernelCost(place, kernel, measured, counted, frozen.frozen_bytes, compared, packets)
        )
        packets = None  # of the board, not of a kernel
    return results


def alone_summary(alone: xtensa.Alone) -> dict[str, object]:
    """As KernelCost.summary, of a kernel without MicroPython around it."""
    return {
        "board": xtensa.NAME,
        "kernel": xtensa.KERNEL,
        "instructions_per_mac": round(alone.autoencoder / macs(bench_models.large()), 2),
        "instructions_per_autoencoder_score": round(alone.autoencoder),
        "instructions_per_svm_score": round(alone.evidence),
        "instructions_per_score": round(alone.autoencoder + alone.evidence),
        "instructions_per_feature": round(alone.features / bench_models.device().features),
    }
