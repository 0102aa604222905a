"""What a release holds, file by file; its compiler is made up. Installed by
mpremote: test_release.py.
"""

import hashlib
import json
import runpy
import subprocess
import sys

import pytest

import inlier
from inlier_boards.catalogue import read_board
from inlier_boards.deployment import release
from inlier_export.errors import BadInput

FIRMWARE = release.FIRMWARE
ALONE = {"model", "alarm", "monitor", "recorder", "kernels/plain"}


@pytest.fixture
def compiler(monkeypatch):
    """Gives NAME.mpy that holds the architecture and the source's name."""
    asked = []

    def compiled(path, arch, paths):
        assert path == "mpy-cross"
        names = (str(p.relative_to(FIRMWARE).with_suffix(".mpy")) for p in paths)
        return {name: f"{arch} {name}".encode() for name in names}

    monkeypatch.setattr(release, "compiled", compiled)
    monkeypatch.setattr(release, "mpy_cross", lambda say: asked.append(say) or "mpy-cross")
    return asked


def names(package, suffix):
    """Below inlier, without their suffix, which is this one."""
    assert all(name.startswith("inlier/") and name.endswith(suffix) for name in package)
    return {name.removeprefix("inlier/").removesuffix(suffix) for name in package}


def test_hardware_has_a_package_for_each_instruction_set_and_emulators_have_none():
    found = release.architectures()
    assert found["armv6m"] == read_board("pico").kernels
    assert found["rv32imc"] == read_board("esp32c3").kernels
    assert set(found) == {"armv6m", "armv7emsp", "xtensawin", "rv32imc"}, "no x64 of a computer"


def test_the_runtime_is_in_three_parts_that_share_no_file(compiler):
    said = []
    made = release.packages({"armv6m": ("thumb", "viper", "plain")}, said.append)
    assert len(compiler) == 1 and compiler[0] == said.append
    assert said == ["inlier-armv6m"]
    assert set(made) == {
        *((kind, f"inlier{part}") for kind in ("6", "py") for part in ("", "-sinks", "-secure")),
        ("6", "inlier-armv6m"),
    }
    for kind, suffix in (("6", ".mpy"), ("py", ".py")):
        core, sinks, secure = (
            names(made[kind, f"inlier{part}"], suffix) for part in ("", "-sinks", "-secure")
        )
        assert core >= ALONE and not {"kernels/viper", "kernels/thumb"} & core
        assert {"sinks/mqtt", "sinks/__init__"} <= sinks and "benign" in sinks
        assert {"secure/slots", "secure/__init__"} <= secure and all("secure/" in n for n in secure)
        assert not core & (sinks | secure)
    own = names(made["6", "inlier-armv6m"], ".mpy")
    assert own >= names(made["6", "inlier"], ".mpy") | {"kernels/viper", "kernels/thumb"}
    assert not any("sinks/" in name or "secure/" in name for name in own)
    assert made["6", "inlier-armv6m"]["inlier/model.mpy"] == b"armv6m inlier/model.mpy"
    assert made["6", "inlier"]["inlier/model.mpy"] == b" inlier/model.mpy", "no native code"
    assert made["py", "inlier"]["inlier/model.py"] == (FIRMWARE / "inlier/model.py").read_bytes()


def test_an_index_is_what_mip_asks_for(tmp_path):
    """https://docs.micropython.org: file/XX/HASH, package/6/NAME/VERSION.json."""
    made = {
        ("6", "b"): {"inlier/x.mpy": b"one", "inlier/y.mpy": b"two"},
        ("py", "a"): {"z.py": b"one"},
    }
    release.write_index(made, tmp_path)
    one, two = (hashlib.sha256(content).hexdigest()[:16] for content in (b"one", b"two"))
    files = {
        str(p.relative_to(tmp_path)): p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()
    }
    assert files[f"file/{one[:2]}/{one}"] == b"one" and files[f"file/{two[:2]}/{two}"] == b"two"
    told = {"v": 1, "version": inlier.__version__, "deps": []}
    for version in ("latest", inlier.__version__):
        of_b = json.loads(files[f"package/6/b/{version}.json"])
        assert of_b == {**told, "hashes": [["inlier/x.mpy", one], ["inlier/y.mpy", two]]}
        of_a = json.loads(files[f"package/py/a/{version}.json"])
        assert of_a == {**told, "hashes": [["z.py", one]]}
    each = {"version": inlier.__version__, "license": "MIT"}
    assert json.loads(files["index.json"]) == {
        "v": 2, "packages": [{"name": "a", **each}, {"name": "b", **each}]
    }  # fmt: skip
    assert len(files) == 2 + 4 + 1


@pytest.fixture
def command(monkeypatch, compiler):
    """The command, and what it had built."""
    built = []

    def run(command, cwd, check, stdout):
        assert check and cwd == FIRMWARE.parent and stdout == subprocess.DEVNULL
        built.append(command)
        (release.Path(command[-1]) / "inlier-1.whl").write_bytes(b"12345")

    monkeypatch.setattr(release.subprocess, "run", run)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["release", *map(str, arguments)])
        return release.main(), built

    return call


def test_a_release_is_a_wheel_and_an_index_in_the_place_of_the_former(
    command, tmp_path, capsys, monkeypatch
):
    (tmp_path / "mip/package").mkdir(parents=True)
    (tmp_path / "mip/package/former.json").write_text("former")
    monkeypatch.setattr(release, "architectures", lambda: {"armv6m": ("thumb", "plain")})
    code, built = command(tmp_path)
    assert code == 0 and not (tmp_path / "mip/package/former.json").exists()
    assert (tmp_path / "mip/index.json").exists()
    wheel = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    assert built == [wheel]
    out, error = capsys.readouterr()
    assert error == "inlier-armv6m\n"
    lines = out.splitlines()
    packages = release.packages({"armv6m": ("thumb", "plain")})
    for line, (kind, name) in zip(lines, sorted(packages), strict=False):
        files = packages[kind, name]
        size = sum(map(len, files.values()))
        assert line == f"{kind:3} {name}: {len(files)} files, {size} bytes"
    assert lines[len(packages) :] == ["inlier-1.whl: 5 bytes"]


def test_without_a_wheel_none_is_built(command, tmp_path):
    assert command(tmp_path, "--no-wheel") == (0, [])


@pytest.mark.parametrize("error", [BadInput("no compiler"), OSError(28, "No space left")])
def test_what_goes_wrong_is_a_sentence(command, tmp_path, capsys, monkeypatch, error):
    def fails(archs, say):
        raise error

    monkeypatch.setattr(release, "packages", fails)
    assert command(tmp_path) == (2, [])
    assert capsys.readouterr() == ("", f"inlier: {error}\n")


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")
def test_it_is_a_program(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["release", "--help"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module(release.__name__, run_name="__main__")
    assert end.value.code == 0 and "--no-wheel" in capsys.readouterr().out
