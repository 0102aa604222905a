"""A littlefs with files on it, made here: copying them over the emulated serial
line takes minutes.
"""

from pathlib import PurePosixPath

BLOCK_BYTES = 4096  # a sector of flash
PROGRAM_BYTES = 256  # ports/rp2/rp2_flash.c: VfsLfs2's progsize
VERSION = 0x00020000  # what every MicroPython reads


def littlefs(files: dict[str, bytes], size: int) -> bytes:
    """Of so many bytes. Raises OSError where they do not fit.

    files: path -> content.
    """
    from littlefs import LittleFS, UserContext

    context = UserContext(buffsize=size)
    disk = LittleFS(
        context=context,
        block_size=BLOCK_BYTES,
        block_count=size // BLOCK_BYTES,
        prog_size=PROGRAM_BYTES,
        disk_version=VERSION,
    )
    for path, content in files.items():
        folder = str(PurePosixPath(path).parent)
        if folder not in (".", "/"):
            disk.makedirs(folder, exist_ok=True)
        with disk.open(path, "wb") as file:
            file.write(content)
    disk.unmount()
    return bytes(context.buffer)
