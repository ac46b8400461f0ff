/* A compute-bound guest: sieve, table CRC, quicksort, integer matrices, a
   branchy state machine with function pointers, list walk, division. It writes
   the check value of all of it, four bytes, to file 1 and exits: a Linux user
   program, freestanding, no library. A native build prints the value. */
typedef unsigned int u32;
typedef unsigned char u8;

#ifndef ROUNDS
#define ROUNDS 4
#endif

static u8 flags[8192];
static u32 table[256], keys[2048];
static int ma[24][24], mb[24][24], mc[24][24];
struct node { struct node *next; u32 v; };
static struct node nodes[512];
static u32 seed = 12345;

static u32 rnd(void) { seed = seed * 1664525u + 1013904223u; return seed; }

static u32 sieve(void) {
    u32 n = 0;
    for (u32 i = 0; i < sizeof flags; i++) flags[i] = 1;
    for (u32 i = 2; i < sizeof flags; i++)
        if (flags[i]) { n++; for (u32 j = i + i; j < sizeof flags; j += i) flags[j] = 0; }
    return n;
}

static u32 crc(const u8 *p, u32 n) {
    u32 c = ~0u;
    while (n--) c = table[(c ^ *p++) & 255] ^ (c >> 8);
    return ~c;
}

static void sort(u32 *a, int lo, int hi) {
    while (lo < hi) {
        u32 p = a[(lo + hi) / 2];
        int i = lo, j = hi;
        while (i <= j) {
            while (a[i] < p) i++;
            while (a[j] > p) j--;
            if (i <= j) { u32 t = a[i]; a[i] = a[j]; a[j] = t; i++; j--; }
        }
        if (j - lo < hi - i) { sort(a, lo, j); lo = i; } else { sort(a, i, hi); hi = j; }
    }
}

static u32 matrix(void) {
    u32 s = 0;
    for (int i = 0; i < 24; i++) for (int j = 0; j < 24; j++) { ma[i][j] = rnd() & 255; mb[i][j] = (int)(rnd() & 255) - 128; }
    for (int i = 0; i < 24; i++) for (int j = 0; j < 24; j++) {
        int t = 0;
        for (int k = 0; k < 24; k++) t += ma[i][k] * mb[k][j];
        mc[i][j] = t; s = s * 31 + t;
    }
    return s;
}

static u32 st_a(u32 x) { return x * 3 + 1; }
static u32 st_b(u32 x) { return (x >> 3) ^ (x << 5); }
static u32 st_c(u32 x) { return x % 1000 + x / 7; }
static u32 st_d(u32 x) { return (u32)((int)x / -13) - x; }
static u32 (*const states[4])(u32) = { st_a, st_b, st_c, st_d };

static u32 machine(u32 x) {
    for (int i = 0; i < 4000; i++) {
        switch (x & 7) {
        case 0: x += 3; break;
        case 1: x ^= x >> 7; break;
        case 2: if ((int)x < 0) x = -x; break;
        case 3: x = (x << 1) | (x >> 31); break;
        default: break;
        }
        x = states[(x >> 9) & 3](x) + i;
    }
    return x;
}

static u32 walk(void) {
    u32 s = 0;
    for (int i = 0; i < 512; i++) { nodes[i].next = &nodes[(i * 167 + 1) & 511]; nodes[i].v = i * i; }
    struct node *n = nodes;
    for (int i = 0; i < 20000; i++) { s += n->v; if (s & 1) s ^= 0x1234; n = n->next; }
    return s;
}

static u32 run(void) {
    u32 h = 0;
    for (u32 i = 0; i < 256; i++) { u32 c = i; for (int k = 0; k < 8; k++) c = c & 1 ? 0xedb88320u ^ (c >> 1) : c >> 1; table[i] = c; }
    for (int r = 0; r < ROUNDS; r++) {
        h = h * 31 + sieve();
        for (int i = 0; i < 2048; i++) keys[i] = rnd();
        sort(keys, 0, 2047);
        h = h * 31 + crc((u8 *)keys, sizeof keys);
        h = h * 31 + crc(flags, sizeof flags);
        h = h * 31 + matrix();
        h = h * 31 + machine(h);
        h = h * 31 + walk();
    }
    return h;
}

#ifdef __riscv
__attribute__((naked, noreturn)) void _start(void) {
    __asm__ volatile(".option push\n .option norelax\n la gp, __global_pointer$\n .option pop\n call main\n"
                     " addi sp, sp, -16\n sw a0, 0(sp)\n li a0, 1\n mv a1, sp\n li a2, 4\n li a7, 64\n ecall\n"
                     " lw a1, 0(sp)\n li a0, 0\n li a7, 93\n ecall\n");
}
int main(void) { return run(); }
#else
#include <stdio.h>
int main(void) { printf("%08x\n", run()); return 0; }
#endif
