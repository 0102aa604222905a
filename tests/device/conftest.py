"""Under pytest, a device test that returns a string is skipped for that reason:
device/run.py's convention.
"""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    reason = pyfuncitem.obj()
    if reason:
        pytest.skip(reason)
    return True


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    """What a test writes by a relative name is not another's."""
    monkeypatch.chdir(tmp_path)
