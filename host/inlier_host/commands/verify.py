"""Checks a model as a device does."""

import json
from typing import Annotated

import typer

from inlier_export.errors import BadInput
from inlier_host.options import Json, Key, ModelFile, say, together


def verify(
    model: ModelFile,
    key: Key = None,
    allow_unsigned: Annotated[
        bool, typer.Option(help="Accept a model that is not signed.")
    ] = False,
    at_least: Annotated[int, typer.Option(help="Refuse a model whose number is lower.")] = 0,
    as_json: Json = False,
) -> None:
    """Check a model as a device does.

    Signature, number, checksum, every bound, and the scores of its self-test.

    Example: inlier verify doorbell.inlier --key fleet.key
    """
    from inlier.model import Model, ModelError
    from inlier.secure import authentic, selftest
    from inlier_export.inputs import check_input
    from inlier_export.model_file import read_blob
    from inlier_host.keys import find

    secret = find(key)
    together(
        lambda: _check_key(secret, allow_unsigned),
        lambda: check_input(model, "model"),
    )
    content = read_blob(model)
    try:
        if secret is not None:
            authentic.Authentic(secret, allow_unsigned).check(content, at_least)
        loaded = Model(content)
        if authentic.number(content) < at_least:
            raise ModelError(
                f"model number {authentic.number(content)} is older than {at_least}; export it "
                f"again"
            )
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
    said = (
        "signed with this key"
        if found["signature_checked"]
        else "signed, not checked"
        if signed
        else "NOT SIGNED"
    )
    say(
        f"{model}: {said}, number {found['number']}, source '{loaded.source}', {len(content)} "
        f"bytes; its self-test passes"
    )


def _check_key(secret: bytes | None, allow_unsigned: bool) -> None:
    if secret is None and not allow_unsigned:
        raise BadInput(
            "no key: give --key or set INLIER_KEY, or say --allow-unsigned to check the rest"
        )
