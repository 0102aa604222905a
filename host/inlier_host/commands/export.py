"""Numbers and signs a model."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from inlier_export.errors import BadInput
from inlier_host.options import Json, Key, say, together

NUMBER_MAX = (1 << 32) - 1


def export(
    model: Annotated[Path, typer.Argument(help="The model file to export.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model file to write.")],
    key: Key = None,
    number: Annotated[
        int | None,
        typer.Option(help="Number of the model; by default the time in seconds, which only grows."),
    ] = None,
    module: Annotated[
        Path | None, typer.Option(help="Also write a Python module of bytes, for freezing.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Number a model and sign it.

    For devices that accept only what their maker signed, and nothing older.

    Example: inlier export model.inlier --key fleet.key -o doorbell.inlier
    """
    from inlier_export import model_file
    from inlier_export.inputs import check_input
    from inlier_host.keys import find
    from inlier_trainer.files import check_outputs, write_atomic

    chosen = int(time.time()) if number is None else number
    secret = b""

    def the_key() -> None:
        nonlocal secret
        secret = find(key) or b""
        if not secret:
            raise BadInput(
                "no key: give --key or set INLIER_KEY; make one with 'openssl rand -hex 32 > "
                "fleet.key'"
            )

    def the_number() -> None:
        if not 0 <= chosen <= NUMBER_MAX:
            raise BadInput(f"--number {chosen}: give a number from 0 to {NUMBER_MAX}")

    together(
        the_key,
        the_number,
        lambda: check_input(model, "model"),
        # the model itself may be signed in its place
        lambda: check_outputs([out, module], [key]),
        lambda: check_outputs([module], [model]),
    )
    blob = model_file.read_blob(model)
    model_file.model_of(model, blob)
    signed = model_file.pack(replace(model_file.unpack(blob), number=chosen), secret)
    if module:
        write_atomic(module, model_file.python_module(signed).encode())
    write_atomic(out, signed)
    if as_json:
        print(json.dumps({"model": str(out), "bytes": len(signed), "number": chosen}))
    else:
        say(f"{out}: {len(signed)} bytes, signed, number {chosen}")
