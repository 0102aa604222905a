"""Finding or building MicroPython: the mirror comes from the system's own
sources; what is missing is named.
"""

import tarfile
from types import SimpleNamespace

import pytest

from inlier_boards.build import debian_source, micropython, umqtt
from inlier_export.errors import BadInput


def apt(folder, **files):
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        (folder / name.replace("__", "/").replace("_", ".")).write_text(text)
    return folder


def test_mirrors_of_deb822_sources(tmp_path):
    text = "Types: deb\nURIs: http://a.example/debian/\nSuites: trixie\nSigned-By: /k.gpg\n\n"
    text += "Enabled: no\nURIs: http://off/debian\n"
    found = debian_source.mirrors(
        apt(tmp_path, sources_list="", **{"sources.list.d__debian_sources": text})
    )
    assert [(m.uri, m.signed_by) for m in found] == [("http://a.example/debian/", "/k.gpg")]
    line = found[0].line("sid", "main")
    assert line == "deb-src [signed-by=/k.gpg] http://a.example/debian/ sid main\n"


def test_mirrors_of_one_line_sources_leave_security_archives_out(tmp_path):
    text = (
        "# deb http://no.example/debian x main\n"
        "deb [arch=amd64 signed-by=/u.gpg] http://b.example/ubuntu noble main\n"
        "deb http://b.example/debian-security trixie-security main\n"
        "deb http://b.example/ubuntu noble universe\n"
    )
    found = debian_source.mirrors(apt(tmp_path, sources_list=text))
    assert [(m.uri, m.signed_by) for m in found] == [
        ("http://b.example/ubuntu", "/u.gpg"),
        ("http://b.example/ubuntu", ""),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ID=debian\n", "debian"),
        ('ID="ubuntu"\nID_LIKE=debian\n', "ubuntu"),
        ("ID=raspbian\nID_LIKE=debian\n", "debian"),
    ],
)
def test_distribution(tmp_path, text, expected):
    (tmp_path / "os-release").write_text(text)
    assert debian_source.distribution(tmp_path / "os-release") == expected


def test_another_system_is_told_what_to_install(tmp_path):
    with pytest.raises(BadInput, match=r"install MicroPython 1.22 or later and put it on PATH"):
        debian_source.distribution(tmp_path / "none")


def test_a_missing_tool_names_its_package(tmp_path, monkeypatch):
    monkeypatch.setenv("INLIER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("MICROPYTHON", raising=False)
    with pytest.raises(
        BadInput,
        match="'apt-get' is needed to build MicroPython: install it with 'apt-get install apt'",
    ):
        micropython.find_or_build()
    assert not (tmp_path / "cache").exists()


def interpreter(folder, said):
    path = folder / "micropython"
    path.write_text(f"#!/bin/sh\necho {said}\n")
    path.chmod(0o755)
    return path


def test_a_named_interpreter_that_is_too_old_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MICROPYTHON", str(interpreter(tmp_path, "micropython 1 21 0")))
    with pytest.raises(BadInput, match="is no MicroPython 1.22 or later"):
        micropython.find_or_build()


def test_one_on_path_serves_from_1_22_on(tmp_path, monkeypatch):
    path = interpreter(tmp_path, "micropython 1 22 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("MICROPYTHON", raising=False)
    assert micropython.find_or_build() == path


def test_a_build_is_no_part_of_the_make_that_it_was_started_from(monkeypatch):
    """Its flags, such as -n, and its job server are not for this one."""
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MICROPYPATH", "KEPT"):
        monkeypatch.setenv(name, "x")
    kept = micropython._clean_environment()
    assert "KEPT" in kept and not {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MICROPYPATH"} & set(kept)


def test_an_archive_that_could_not_be_updated_is_told_though_apt_calls_it_a_warning(
    tmp_path, monkeypatch
):
    """Else the package would be said not to exist."""
    asked = []

    def run(command, **options):
        asked.append(command[-1])
        return SimpleNamespace(returncode=0, stdout="Err:1 http://a sid InRelease\n", stderr="")

    monkeypatch.setattr(debian_source.subprocess, "run", run)
    assert debian_source._download(tmp_path, "deb-src x", "p") == "Err:1 http://a sid InRelease"
    assert asked == ["update"]


def test_a_package_from_pypi_that_is_another_is_not_used(tmp_path, monkeypatch):
    def run(command, **options):
        (tmp_path / "umqtt.tar.gz").write_bytes(b"another")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(umqtt.subprocess, "run", run)
    with pytest.raises(BadInput, match="is not the file it was: its SHA-256 differs"):
        umqtt._fetch(tmp_path)


def test_a_source_package_is_unpacked_by_a_python_without_filters_too(tmp_path, monkeypatch):
    """As Debian 12's own, 3.11.2."""
    packed = tmp_path / "packed"
    (packed / "micropython-1.0").mkdir(parents=True)
    (packed / "micropython-1.0/readme").write_text("here")
    unfiltered = tarfile.TarFile.extractall

    def without_filter(self, path):
        unfiltered(self, path)

    def download(folder, line, package):
        with tarfile.open(folder / "micropython_1.0.orig.tar.xz", "w:xz") as tar:
            tar.add(packed / "micropython-1.0", "micropython-1.0")

    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    monkeypatch.setattr(tarfile.TarFile, "extractall", without_filter)
    monkeypatch.setattr(debian_source, "_download", download)
    monkeypatch.setattr(debian_source, "distribution", lambda: "debian")
    monkeypatch.setattr(debian_source, "mirrors", lambda: [debian_source.Mirror("x", "")])
    (tmp_path / "out").mkdir()
    assert (debian_source.unpack(tmp_path / "out") / "readme").read_text() == "here"
