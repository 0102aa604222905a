// The UART of the MPS2 boards, as in ports/qemu/uart.c, where the AN505's secure world has it.
#include <stddef.h>
#include <stdint.h>

#include "uart.h"

#define DATA (*(volatile uint32_t *)0x50200000)
#define STATE (*(volatile uint32_t *)0x50200004)
#define CTRL (*(volatile uint32_t *)0x50200008)
#define BAUDDIV (*(volatile uint32_t *)0x50200010)
#define FULL_TO_SEND 1
#define RECEIVED 2
#define SEND_AND_RECEIVE 3

void uart_init(void) {
    BAUDDIV = 16;
    CTRL = SEND_AND_RECEIVE;
}

int uart_rx_chr(void) {
    return STATE & RECEIVED ? (int)DATA : UART_RX_NO_CHAR;
}

void uart_tx_strn(const char *text, size_t length) {
    for (size_t i = 0; i < length; ++i) {
        while (STATE & FULL_TO_SEND) {
        }
        DATA = text[i];
    }
}
