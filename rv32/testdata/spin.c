/* Ways to wait for a timer, as firmware writes them. Each leaves what it saw
   in results[]; the program ends by wfi. SYSTIMER is the ESP32-C3's: writing
   bit 30 of OP latches the counter, bit 29 says that it is there. RUNNING is a
   counter that is not latched. */
__asm__(".option arch, +zicsr"); /* not by -march: libgcc is picked by that */

typedef unsigned int u32;
typedef unsigned long long u64;

#define OP (*(volatile u32 *)0x60023004)
#define HI (*(volatile u32 *)0x60023040)
#define LO (*(volatile u32 *)0x60023044)
#define RUNNING (*(volatile u32 *)0x60024000)
#define STATUS (*(volatile u32 *)0x60024004)
#define OTHER (*(volatile u32 *)0x60025000)

volatile u64 results[32];
static volatile u32 scratch[4];

static u64 __attribute__((noinline)) now(void) {
    OP = 1u << 30;
    while (!(OP & (1u << 29))) {}
    u32 prev = LO, lo, hi;
    do { lo = prev; hi = HI; prev = LO; } while (lo != prev);
    return (u64)hi << 32 | lo;
}
static u64 __attribute__((noinline)) micros(void) { return now() / 16; }
static u64 __attribute__((noinline)) odd_units(void) { return now() * 1000 / 16001; }
static u32 cycles(void) { u32 v; __asm__ volatile("csrr %0, 0x7e2" : "=r"(v)); return v; }
static u32 user_cycles(void) { u32 v; __asm__ volatile("csrr %0, 0x802" : "=r"(v)); return v; }

static u64 __attribute__((noinline)) guarded(void) {
    u32 s;
    __asm__ volatile("csrrci %0, mstatus, 8" : "=r"(s));
    u64 t = now();
    __asm__ volatile("csrs mstatus, %0" :: "r"(s & 8));
    return t;
}

int main(void) {
    int n = 0;
    u64 t = now();
    while (now() - t < 16000) {}
    results[n++] = now();

    t = micros();
    while (micros() - t < 2500) {}
    results[n++] = now();

    t = odd_units();
    while (odd_units() < t + 3000) {}
    results[n++] = now();

    u32 c = cycles();
    while (cycles() - c < 400000) {}
    results[n++] = now();
    c = user_cycles() + 123457;
    while ((int)(user_cycles() - c) < 0) {}
    results[n++] = cycles();

    c = RUNNING;
    while (RUNNING - c < 77777) {}
    results[n++] = RUNNING;

    while ((RUNNING & 0xffff) != 5) {} /* not monotonic */
    results[n++] = RUNNING;

    t = guarded();
    while (guarded() - t < 9999) {}
    results[n++] = now();

    u32 rounds = 0; /* carried from round to round: must be run out */
    t = now();
    while (now() - t < 5000) rounds++;
    results[n++] = rounds;

    u32 mix = 1;
    t = now();
    while (now() - t < 5000) mix = mix * 31 + LO;
    results[n++] = mix;

    t = now(); /* last value stays behind in memory */
    do { scratch[1] = scratch[0]; scratch[0] = (u32)now(); } while (scratch[0] - (u32)t < 20000);
    results[n++] = scratch[0];
    results[n++] = scratch[1];

    t = now(); /* status with a timeout */
    while (!(STATUS & 1) && now() - t < 30000) {}
    results[n++] = now();

    t = now(); /* something the bus does not vouch for */
    do { OTHER = 1; } while (now() - t < 3000);
    results[n++] = OTHER;

    for (int i = 0; i < 20; i++) { t = now(); while (now() - t < 1600) {} }
    results[n++] = now();
    return n;
}

__attribute__((naked, noreturn)) void _start(void) {
    __asm__ volatile(".option push\n .option norelax\n la gp, __global_pointer$\n .option pop\n call main\n 1: wfi\n j 1b\n");
}
