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
