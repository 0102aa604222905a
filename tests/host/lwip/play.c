/* Plays frames through one of lwIP's interfaces; says what was counted.

   play PIECES; standard input: the interface's address, then of these, numbers
   little-endian: 'F', whether it is sent (u8), bytes (u32) and the frame; 'T' and
   the time in ms (u32); 'I' or 'O', when the driver sets its `input` or its
   `linkoutput` anew; 'R', to end a window: the totals are printed. */
#include "interface.h"

static uint32_t u32(void) {
    uint8_t b[4];
    must(fread(b, 1, 4, stdin) == 4, "a number is cut off");
    return b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24;
}

int main(int argc, char **argv) {
    static uint8_t data[65536];
    uint8_t own[6];
    must(argc == 2 && fread(own, 1, 6, stdin) == 6, "play PIECES, and an address");
    pieces = atoi(argv[1]);
    add_interface(own);
    for (int c; (c = getchar()) != EOF;) {
        if (c == 'F') {
            int sent = getchar();
            uint32_t n = u32();
            must(n < sizeof data && fread(data, 1, n, stdin) == n, "no frame of lwIP's");
            play(data, n, sent);
        } else if (c == 'T') {
            now_ms = u32();
        } else if (c == 'I') {
            interface.input = driver_input;
            changed();
        } else if (c == 'O') {
            interface.linkoutput = driver_output;
            changed();
        } else {
            must(c == 'R', "neither frame nor time");
            uint32_t totals[INLIER_COUNTERS];
            inlier_read(totals);
            for (int i = 0; i < INLIER_COUNTERS; i++)
                printf("%u%c", totals[i], i == INLIER_COUNTERS - 1 ? '\n' : ' ');
            fflush(stdout);
        }
    }
    return 0;
}
