#!/usr/bin/env bash
# From a checkout to a detector on a board: trains on the demonstration's recording, copies the model over a serial line onto an
# emulated board with the Pico's processor, tests it there, and scores what comes back on this computer: the integers are the same.
# Argument: a folder for what it makes.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-out/board}"
command -v inlier > /dev/null || { make -s .venv/stamp packages && PATH="$PWD/.venv/bin:$PATH"; }
mkdir -p "$out"
recording=tests/host/recorded/windows.csv # 800 benign windows of the demonstration

inlier train "$recording" --source sockets --window 100ms --false-alarms 30/hour --allow-constant all -o "$out/doorbell.inlier"

coproc BOARD { exec python -m inlier_boards.serial_line.plug qemu_m0; } # plugs it in
trap 'kill "$BOARD_PID"' EXIT
read -r port <&"${BOARD[0]}"

head -n 101 "$recording" > "$out/windows.csv"
inlier deploy "$out/doorbell.inlier" --port "$port" --replay "$out/windows.csv" --yes
inlier record --port "$port" --restart --count 100 --model "$out/doorbell.inlier" -o "$out/back.csv"
