#define NO_SYS 1
