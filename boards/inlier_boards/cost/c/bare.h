/* A bare board in QEMU: its measured() runs with a timer and a serial line.
   MACHINE is microbit.h, mps2.h or virt.h beside this file. */
#include <stdint.h>

#include MACHINE

static void put(uint32_t value, char end) {
    char digits[12];
    int n = 0;
    do
        digits[n++] = '0' + value % 10;
    while (value /= 10);
    while (n)
        put_char(digits[--n]);
    put_char(end);
}

static void measured(void);

void run(void) {
    extern uint32_t _data_load, _data, _data_end;
    for (uint32_t *from = &_data_load, *to = &_data; to < &_data_end;)
        *to++ = *from++;
    start_up();
    measured();
    for (;;) {
    }
}
