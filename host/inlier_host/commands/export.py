"""Numbers and signs a model; writes it in other forms."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from inlier_export.errors import BadInput
from inlier_host.keys import find
from inlier_host.options import NUMBER_MAX, Json, Key, Module, say, together


def export(
    model: Annotated[Path, typer.Argument(help="The model file to export.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The signed model file to write.")
    ] = None,
    key: Key = None,
    number: Annotated[
        int | None,
        typer.Option(help="Number of the model; by default the time in seconds, which only grows."),
    ] = None,
    module: Module = None,
    c_header: Annotated[
        Path | None,
        typer.Option(
            "--c-header", help="Also write the model and what scores it as one C99 header."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Number a model and sign it, or write it in another form.

    Signed for devices that accept only what their maker signed, and nothing
    older: --out needs a key. As a Python module of bytes, or for firmware
    without MicroPython as a C header (--c-header model.h), also unsigned.

    Example: inlier export model.inlier --key fleet.key -o doorbell.inlier
    """
    from inlier.secure import authentic
    from inlier_export import model_file
    from inlier_export.c_header import c_header as header_of
    from inlier_export.inputs import check_input
    from inlier_trainer.files import check_outputs, write_atomic

    chosen = int(time.time()) if number is None else number
    _, secret, *_ = together(
        lambda: _check_any(out, module, c_header),
        lambda: out and _key(key),  # once: it may come through a pipe
        lambda: _check_number(chosen),
        lambda: check_input(model, "model"),
        # the model itself may be signed in its place
        lambda: check_outputs([out, module, c_header], [key]),
        lambda: check_outputs([module, c_header], [model]),
    )
    blob = model_file.read_blob(model)
    model_file.model_of(model, blob)
    if out:
        blob = model_file.pack(replace(model_file.unpack(blob), number=chosen), secret)
    written: list[tuple[Path, bytes]] = []
    if module:
        written.append((module, model_file.python_module(blob).encode()))
    if c_header:
        written.append((c_header, header_of(model_file.unpack(blob)).encode()))
    if out:
        written.append((out, blob))
    for path, content in written:
        write_atomic(path, content)
    if as_json:
        print(
            json.dumps(
                {
                    "model": str(out or model),
                    "bytes": len(blob),
                    "number": authentic.number(blob),
                    "written": [str(path) for path, _ in written],
                }
            )
        )
        return
    for path, content in written:
        signed = f", signed, number {chosen}" if path == out else ""
        say(f"{path}: {len(content)} bytes{signed}")


def _check_any(*outputs: Path | None) -> None:
    if not any(outputs):
        raise BadInput("nothing to write: give --out, --module or --c-header")


def _check_number(number: int) -> None:
    if not 0 <= number <= NUMBER_MAX:
        raise BadInput(f"--number {number}: give a number from 0 to {NUMBER_MAX}")


def _key(path: Path | None) -> bytes:
    """Raises BadInput where there is none."""
    key = find(path)
    if not key:
        raise BadInput(
            "no key: give --key or set INLIER_KEY; make one with 'openssl rand -hex 32 > fleet.key'"
        )
    return key
