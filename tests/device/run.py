"""Runs the test_* functions of the modules named: the same files under CPython,
Unix MicroPython and the boards. An argument `required=viper,plain` names
the kernels, or the sockets source's loops, that must load there.
"""

import sys

_PLATFORM = (
    "asyncio",
    "select",
    "socket",
    "time",
    "inlier.sinks",
    "inlier.procfs",
)  # modules that a bare board may do without


def main(names):
    for name in [name for name in names if name.startswith("required=")]:
        names.remove(name)
        import golden

        golden.REQUIRED = name[len("required=") :].split(",")
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name in names:
        try:
            module = __import__(name)
        except ImportError as error:
            if not any("'%s'" % module in str(error) for module in _PLATFORM):
                raise
            print("skipped", name, error)
            counts["skipped"] += 1
            continue
        for test in sorted(dir(module)):
            if not test.startswith("test_"):
                continue
            try:
                reason = getattr(module, test)()  # a test that cannot run here returns why
                verdict = "skipped" if reason else "passed"
                print(verdict, name + "." + test, reason or "")
            except Exception as error:
                verdict = "failed"
                print("failed", name + "." + test)
                if hasattr(sys, "print_exception"):
                    sys.print_exception(error)
                else:
                    raise
            counts[verdict] += 1
    print("%(passed)d passed, %(failed)d failed, %(skipped)d skipped" % counts)
    return counts["failed"]


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
