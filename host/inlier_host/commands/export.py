"""The commands that sign and verify models."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .errors import BadInput
from .options import Json

Key = Annotated[Path | None, typer.Option(help="File with the key; by default the environment variable INLIER_KEY.")]
NUMBER_MAX = (1 << 32) - 1


def export(
    model: Annotated[Path, typer.Argument(help="The model file to export.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model file to write.")],
    key: Key = None,
    number: Annotated[
        int | None, typer.Option(help="Number of the model; by default the time in seconds, which only grows.")
    ] = None,
    module: Annotated[Path | None, typer.Option(help="Also write a Python module of bytes, for freezing.")] = None,
    as_json: Json = False,
) -> None:
    """Number a model and sign it, for devices that accept only what their maker signed, and nothing older."""
    from export import blob

    from .files import write_atomic
    from .keys import find
    from .monitor import read_model

    secret = find(key)
    if secret is None:
        raise BadInput("no key: give --key or set INLIER_KEY; make one with 'openssl rand -hex 32 > fleet.key'")
    chosen = int(time.time()) if number is None else number
    if not 0 <= chosen <= NUMBER_MAX:
        raise BadInput(f"--number {chosen}: give a number from 0 to {NUMBER_MAX}")
    read_model(model)
    signed = blob.pack(replace(blob.read(model), number=chosen), secret)
    if module:
        write_atomic(module, blob.python_module(signed).encode())
    write_atomic(out, signed)
    if as_json:
        print(json.dumps({"model": str(out), "bytes": len(signed), "number": chosen}))
    else:
        print(f"{out}: {len(signed)} bytes, signed, number {chosen}")


def verify(
    model: Annotated[Path, typer.Argument(help="The model file.")],
    key: Key = None,
    allow_unsigned: Annotated[bool, typer.Option(help="Accept a model that is not signed.")] = False,
    at_least: Annotated[int, typer.Option(help="Refuse a model whose number is lower.")] = 0,
    as_json: Json = False,
) -> None:
    """Check a model as a device does: signature, number, checksum, every bound, and the scores of its self-test."""
    from inlier.model import Model, ModelError
    from inlier.secure import authentic, selftest

    from .keys import find

    secret = find(key)
    if secret is None and not allow_unsigned:
        raise BadInput("no key: give --key or set INLIER_KEY, or say --allow-unsigned to check the rest")
    content = model.read_bytes()
    try:
        if secret is not None:
            authentic.Authentic(secret, allow_unsigned).check(content, at_least)
        loaded = Model(content)
        if authentic.number(content) < at_least:
            raise ModelError(f"model number {authentic.number(content)} is older than {at_least}; export it again")
        selftest.check(loaded, content)
    except ModelError as error:
        raise BadInput(f"{model}: {error}") from None
    signed = authentic.is_signed(content)
    found = {
        "model": str(model),
        "bytes": len(content),
        "number": authentic.number(content),
        "source": loaded.source,
        "signed": signed,
        "signature_checked": signed and secret is not None,
    }
    if as_json:
        print(json.dumps(found))
        return
    said = "signed with this key" if found["signature_checked"] else "signed, not checked" if signed else "NOT SIGNED"
    print(f"{model}: {said}, number {found['number']}, source '{loaded.source}', {len(content)} bytes; its self-test passes")
