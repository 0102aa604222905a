/* What differs between platforms: who else may run while hook.c does.

   COUNT_ENTER, _EXIT   around counting a packet
   READ_ENTER, _EXIT    around reading, from the interpreter */
#ifndef INLIER_PORT_H
#define INLIER_PORT_H

#include "lwip/opt.h"
#include "lwip/sys.h"

#ifdef ESP_PLATFORM
/* Wi-Fi's task calls `input`, lwIP's `linkoutput`, the interpreter reads, and
   there may be two cores. Each holds the lock for some microseconds. */
#include "freertos/FreeRTOS.h"
static portMUX_TYPE inlier_lock = portMUX_INITIALIZER_UNLOCKED;
#define COUNT_ENTER portENTER_CRITICAL(&inlier_lock);
#define COUNT_EXIT portEXIT_CRITICAL(&inlier_lock);
#define READ_ENTER COUNT_ENTER
#define READ_EXIT COUNT_EXIT

#elif NO_SYS
/* MicroPython's rp2, stm32, mimxrt, renesas-ra: all of lwIP runs at PendSV's
   priority, or with PendSV held off, so that two packets are never counted at
   once; whoever reads holds PendSV off. */
#include "py/mphal.h"
#define COUNT_ENTER
#define COUNT_EXIT
#define READ_ENTER MICROPY_PY_LWIP_ENTER
#define READ_EXIT MICROPY_PY_LWIP_EXIT

#else
/* lwIP with threads. */
#define COUNT_ENTER SYS_ARCH_DECL_PROTECT(level); SYS_ARCH_PROTECT(level);
#define COUNT_EXIT SYS_ARCH_UNPROTECT(level);
#define READ_ENTER COUNT_ENTER
#define READ_EXIT COUNT_EXIT
#endif

#endif
