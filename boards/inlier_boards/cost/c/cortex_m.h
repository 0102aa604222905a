/* Vectors and SysTick, which every Cortex-M has. */

#define REG(address) (*(volatile uint32_t *)(address))

static uint32_t ticks(void) { return 0xFFFFFF - REG(0xE000E018); }

static void start_systick(void) {
    REG(0xE000E014) = 0xFFFFFF;
    REG(0xE000E018) = 0;
    REG(0xE000E010) = 5;
}

extern uint32_t _stack;
void run(void);
__attribute__((section(".vectors"), used)) static const void *const vectors[2] = {&_stack, (void *)run};
