/* QEMU's mps2-an505, in its secure world. */

#define UART 0x50200000
#include "mps2.h"
