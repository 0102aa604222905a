"""A Unix MicroPython with TLS and DTLS, for MicroPython's own socket tests.

The source package leaves mbedtls out: it comes from Debian's own, built once
into the cache. `python tests/host/micropython_tls.py` prints the path.
"""

import shutil
from pathlib import Path

from inlier_boards.build import debian_source
from inlier_boards.build.micropython import (
    MANIFEST,
    built_once,
    cache_folder,
    make,
    source_tree,
)

OPTIONS = ("MICROPY_PY_SSL=1", "MICROPY_PY_BTREE=0", "MICROPY_PY_FFI=0", "MICROPY_PY_THREAD=1")


def built() -> Path:
    """The tree, its tests/ included; the interpreter is
    ports/unix/build-standard/micropython. Raises BadInput.
    """
    source, tree = source_tree(), cache_folder() / "micropython-tls"
    with built_once(tree, tree.parent / "tls.lock") as work:
        if work:
            new = work / "tree"
            shutil.copytree(source, new, symlinks=True)
            shutil.rmtree(new / "ports/unix/build-standard")
            shutil.rmtree(new / "lib/mbedtls", ignore_errors=True)
            debian_source.unpack(work, "mbedtls").rename(new / "lib/mbedtls")
            (new / "inlier_manifest.py").write_text(MANIFEST + _ssl(new))
            make(new, "ports/unix", *OPTIONS, f"FROZEN_MANIFEST={new}/inlier_manifest.py")
            new.rename(tree)
    return tree


def _ssl(tree: Path) -> str:
    """micropython-lib's ssl.py is not in the package: what it is, over the
    built-in tls, as far as the tests need it.
    """
    (tree / "ssl.py").write_text(SSL)
    return f'module("ssl.py", base_path="{tree}")\n'


SSL = """
import tls
from tls import *


class SSLContext:
    def __init__(self, *args):
        self._context = tls.SSLContext(*args)
        self._context.verify_mode = CERT_NONE

    @property
    def verify_mode(self):
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, value):
        self._context.verify_mode = value

    @property
    def verify_callback(self):
        return self._context.verify_callback

    @verify_callback.setter
    def verify_callback(self, value):
        self._context.verify_callback = value

    def get_ciphers(self):
        return self._context.get_ciphers()

    def set_ciphers(self, ciphers):
        self._context.set_ciphers(ciphers)

    def load_cert_chain(self, certfile, keyfile):
        self._context.load_cert_chain(_bytes(certfile), _bytes(keyfile))

    def load_verify_locations(self, cafile=None, cadata=None):
        self._context.load_verify_locations(_bytes(cafile) if cafile else cadata)

    def wrap_socket(
        self, sock, *, server_side=False, do_handshake_on_connect=True, server_hostname=None
    ):
        return self._context.wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            server_hostname=server_hostname,
        )


def _bytes(file):
    if isinstance(file, str):
        with open(file, "rb") as f:
            return f.read()
    return file


def wrap_socket(
    sock, server_side=False, key=None, cert=None, cert_reqs=CERT_NONE, cadata=None,
    server_hostname=None, do_handshake=True,
):
    context = SSLContext(PROTOCOL_TLS_SERVER if server_side else PROTOCOL_TLS_CLIENT)
    if cert or key:
        context.load_cert_chain(cert, key)
    if cadata:
        context.load_verify_locations(cadata=cadata)
    context.verify_mode = cert_reqs
    return context.wrap_socket(
        sock, server_side=server_side, do_handshake_on_connect=do_handshake,
        server_hostname=server_hostname,
    )
"""


if __name__ == "__main__":
    print(built() / "ports/unix/build-standard/micropython")
