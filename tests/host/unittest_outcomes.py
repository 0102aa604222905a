"""Runs unittest modules, with the sockets counted or not, and writes each
test's outcome as JSON.

python unittest_outcomes.py OUT native|counted NAME…
"""

import json
import signal
import sys
import unittest

TEST_LIMIT_S = 60
WITHOUT = ("VSOCK",)  # waits for ever where the kernel has the module and no host answers


class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.of = {}

    def startTest(self, test):
        super().startTest(test)
        print(test.id(), file=sys.stderr, flush=True)  # the last one is what hung
        signal.alarm(TEST_LIMIT_S)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def addSuccess(self, test):
        self.of.setdefault(test.id(), "passed")

    def addSkip(self, test, reason):
        self.of[test.id()] = f"skipped: {reason}"

    def addError(self, test, error):
        self.of[test.id()] = "error: " + self._exc_info_to_string(error, test)

    def addFailure(self, test, error):
        self.of[test.id()] = "failed: " + self._exc_info_to_string(error, test)

    def addSubTest(self, test, part, error):
        if error:
            self.addFailure(test, error)

    def addExpectedFailure(self, test, error):
        self.of[test.id()] = "failed as expected"

    def addUnexpectedSuccess(self, test):
        self.of[test.id()] = "passed unexpectedly"


def late(*args):
    raise TimeoutError(f"more than {TEST_LIMIT_S} s")


def prune(suite):
    wanted = [
        t
        for t in suite
        if isinstance(t, unittest.TestSuite) or not any(w in t.id() for w in WITHOUT)
    ]
    suite._tests = wanted
    for part in wanted:
        if isinstance(part, unittest.TestSuite):
            prune(part)


def main(out, mode, *names):
    if mode == "counted":
        from inlier import sockets

        sockets.install()
    from test import support

    # its network is loopback
    support.use_resources = ["network"] if names == ("test.test_socketserver",) else []
    signal.signal(signal.SIGALRM, late)
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    prune(suite)
    outcomes = Outcomes()
    suite(outcomes)
    with open(out, "w") as f:
        json.dump(outcomes.of, f)


if __name__ == "__main__":
    main(*sys.argv[1:])
