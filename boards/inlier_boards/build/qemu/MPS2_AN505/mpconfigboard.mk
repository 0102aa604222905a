# A board of MicroPython's qemu port that the port lacks: the Cortex-M33 of QEMU's mps2-an505.
QEMU_ARCH = arm
QEMU_MACHINE = mps2-an505

CFLAGS += -mthumb -mcpu=cortex-m33 -mfloat-abi=soft
CFLAGS += -DMICROPY_HW_MCU_NAME='"Cortex-M33"'
AS += -mcpu=cortex-m33

LDSCRIPT = $(BOARD_DIR)/memory.ld

SRC_C += $(BOARD_DIR)/uart.c
SRC_BOARD_O = shared/runtime/gchelper_native.o shared/runtime/gchelper_thumb2.o
