// MicroPython's qemu port has no start-up scripts. Wrapped around its mp_init (ld's --wrap), this runs the frozen _boot.py,
// which mounts the disk, and then main.py, as the ports of real boards do after a reset.
#include "py/runtime.h"
#include "shared/runtime/pyexec.h"

void __real_mp_init(void);
void __wrap_mp_init(void);

void __wrap_mp_init(void) {
    __real_mp_init();
    pyexec_frozen_module("_boot.py", false);
    if (pyexec_mode_kind == PYEXEC_MODE_FRIENDLY_REPL) {
        pyexec_file_if_exists("main.py");
    }
}
