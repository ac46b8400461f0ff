//! PMP, PMS, debug triggers, faults of the cache. A handler of traps of our own
//! notes what happened and continues after the instruction.

use core::arch::{asm, global_asm};

unsafe extern "C" {
    static mut TRAPS: [u32; 4];
    fn trap_table();
}

// In flash: an alignment in .rwtext would move it over .data, whose place follows from
// the size of .rwtext alone. All instructions that may trap in these tests are not compressed.
global_asm!(
    ".pushsection .text.trap_table, \"ax\"",
    ".balign 256",
    ".option push",
    ".option norvc",
    ".global trap_table",
    "trap_table:",
    "j 1f",
    "1:",
    "csrw mscratch, t0",
    "la t0, TRAPS",
    "sw t1, 12(t0)",
    "csrr t1, mcause",
    "sw t1, 0(t0)",
    "csrr t1, mtval",
    "sw t1, 4(t0)",
    "lw t1, 8(t0)",
    "addi t1, t1, 1",
    "sw t1, 8(t0)",
    "csrr t1, mcause",
    "addi t1, t1, -1",
    "bnez t1, 2f",
    "csrw mepc, ra", // a jump to where there is no code: return to the caller
    "j 3f",
    "2:",
    "csrr t1, mepc",
    "addi t1, t1, 4",
    "csrw mepc, t1",
    "3:",
    "lw t1, 12(t0)",
    "csrr t0, mscratch",
    "mret",
    ".option pop",
    ".popsection",
    ".pushsection .bss, \"aw\", @nobits",
    ".balign 4",
    ".global TRAPS",
    "TRAPS: .skip 16",
    ".popsection",
);

/// What f does to the CPU: (mcause, mtval) of its last trap, None without one.
fn trapped(f: impl FnOnce()) -> Option<(u32, u32)> {
    let (cause, value, count): (u32, u32, u32);
    unsafe {
        let at = &raw mut TRAPS as *mut u32;
        at.add(2).write_volatile(0);
        let table = trap_table as *const () as u32 | 1;
        let old: u32;
        let status: u32;
        asm!("csrrci {}, mstatus, 8", out(reg) status);
        asm!("csrrw {}, mtvec, {}", out(reg) old, in(reg) table);
        f();
        asm!("csrw mtvec, {}", in(reg) old);
        asm!("csrw mstatus, {}", in(reg) status);
        cause = at.read_volatile();
        value = at.add(1).read_volatile();
        count = at.add(2).read_volatile();
    }
    (count > 0).then_some((cause & 0x1f, value))
}

#[inline(never)]
fn load(addr: u32) -> u32 {
    let v: u32;
    unsafe { asm!(".option push", ".option norvc", "lw {}, 0({})", ".option pop", out(reg) v, in(reg) addr) }
    v
}

#[inline(never)]
fn store(addr: u32, v: u32) {
    unsafe { asm!(".option push", ".option norvc", "sw {}, 0({})", ".option pop", in(reg) v, in(reg) addr) }
}

#[embedded_test::tests(default_timeout = 3)]
mod tests {
    use super::*;
    use crate::{get, set};
    use esp_hal::peripherals::Peripherals;

    #[init]
    fn init() -> Peripherals {
        crate::init()
    }

    static mut WORDS: [u32; 64] = [7; 64];

    fn words() -> u32 {
        let at = &raw mut WORDS as u32;
        (at + 31) & !31
    }

    // The bootloader locks all entries of the PMP: they apply to machine mode, and
    // stay as they are.
    #[test]
    fn pmp(_p: Peripherals) {
        let before = [csr0(), csr1(), csr2(), csr3()];
        assert!(before.iter().all(|v| v & 0x8080_8080 == 0x8080_8080), "not locked: {before:x?}");
        unsafe {
            asm!("csrw pmpcfg0, zero", "csrw pmpcfg1, zero", "csrw pmpcfg2, zero", "csrw pmpcfg3, zero");
        }
        assert_eq!([csr0(), csr1(), csr2(), csr3()], before);
        // Data that is mapped from flash can be read only, data memory not executed.
        let constant = 0x3c00_0020;
        assert_eq!(trapped(|| { load(constant); }), None);
        assert_eq!(trapped(|| store(constant, 0)), Some((7, constant)));
        let at = words();
        set(at, 0x0000_8067); // ret
        let got = trapped(|| unsafe { asm!("jalr {}", in(reg) at, out("ra") _) });
        assert_eq!(got.map(|t| t.0), Some(1), "data memory is executed");
    }

    fn csr0() -> u32 {
        let v: u32;
        unsafe { asm!("csrr {}, pmpcfg0", out(reg) v) }
        v
    }
    fn csr1() -> u32 {
        let v: u32;
        unsafe { asm!("csrr {}, pmpcfg1", out(reg) v) }
        v
    }
    fn csr2() -> u32 {
        let v: u32;
        unsafe { asm!("csrr {}, pmpcfg2", out(reg) v) }
        v
    }
    fn csr3() -> u32 {
        let v: u32;
        unsafe { asm!("csrr {}, pmpcfg3", out(reg) v) }
        v
    }

    // Debug specification 0.13, triggers of type 2: a match of the address of a
    // store, of a load, and of an instruction that is executed.
    #[test]
    fn triggers(_p: Peripherals) {
        let at = words();
        let watch = |n: u32, addr: u32, kind: u32| unsafe {
            asm!("csrw tselect, {}", in(reg) n);
            asm!("csrw tdata1, {}", in(reg) 0);
            asm!("csrw tcontrol, {}", in(reg) 8 | 128);
            asm!("csrw tdata2, {}", in(reg) addr);
            asm!("csrw tdata1, {}", in(reg) kind | 1 << 6);
        };
        let off = |n: u32| unsafe {
            asm!("csrw tselect, {}", in(reg) n);
            asm!("csrw tdata1, {}", in(reg) 0);
        };
        watch(2, at, 2);
        assert_eq!(trapped(|| { load(at); }), None);
        assert_eq!(trapped(|| store(at + 4, 1)), None);
        let got = trapped(|| store(at, 99));
        assert_eq!(got.map(|t| t.0), Some(3));
        off(2);
        watch(2, at, 1);
        assert_eq!(trapped(|| store(at, 1)), None);
        assert_eq!(trapped(|| { load(at); }).map(|t| t.0), Some(3));
        off(2);
        assert_eq!(trapped(|| { load(at); store(at, 1); }), None);
    }

    // Reading flash where the MMU maps nothing: the cache notes the address and
    // raises its interrupt source (CACHE_ILG_INT, bit 5: MMU_ENTRY_FAULT).
    #[test]
    fn cache_fault(_p: Peripherals) {
        const EXTMEM: u32 = 0x600c4000;
        const SOURCE: u32 = 36; // CACHE_IA
        let pending = || get(0x600c20f8 + 4 * (SOURCE / 32)) >> (SOURCE % 32) & 1;
        // An entry of the MMU that is invalid (bit 8).
        let mut page = 127;
        while get(0x600c5000 + 4 * page) & 0x100 == 0 {
            page -= 1;
        }
        let at = 0x3c00_0000 + page * 0x10000 + 0x40;
        set(EXTMEM + 0x7c, 0x1ff);
        set(EXTMEM + 0x78, 1 << 5);
        assert_eq!((get(EXTMEM + 0x80) >> 5 & 1, pending()), (0, 0));
        trapped(|| { load(at); });
        assert_eq!((get(EXTMEM + 0x80) >> 5 & 1, pending()), (1, 1));
        assert_eq!(get(EXTMEM + 0xa4), at, "CACHE_MMU_FAULT_VADDR");
        set(EXTMEM + 0x7c, 1 << 5);
        assert_eq!((get(EXTMEM + 0x80) >> 5 & 1, pending()), (0, 0));
        // A page that is mapped is no fault.
        trapped(|| { load(0x3c00_0020); });
        assert_eq!(pending(), 0);
    }

    // SENSITIVE takes the permission for LEDC from the CPU (CORE_0_PIF_PMS_CONSTRAIN_2,
    // bits 17:16): reads give 0, writes have no effect, and the monitor has the address.
    #[test]
    fn pms(_p: Peripherals) {
        const CONSTRAIN: u32 = 0x600c_10e0;
        const MONITOR: u32 = 0x600c_1130;
        const CHANNEL: u32 = 0x6001_9004; // LEDC_CH0_HPOINT
        set(0x600c_0010, get(0x600c_0010) | 1 << 11); // its clock, and not its reset
        set(0x600c_0018, get(0x600c_0018) & !(1 << 11));
        set(CHANNEL, 5);
        assert_eq!(get(CHANNEL), 5);
        let open = get(CONSTRAIN);
        set(MONITOR + 4, 3); // clear
        set(MONITOR + 4, 2); // enable
        set(CONSTRAIN, open & !(3 << 16));
        assert_eq!(get(CHANNEL), 0);
        assert_eq!(get(MONITOR + 8) & 1, 1, "no violation");
        assert_eq!(get(MONITOR + 12), CHANNEL);
        set(CHANNEL, 9);
        set(CONSTRAIN, open);
        assert_eq!(get(CHANNEL), 5);
        set(MONITOR + 4, 3);
        assert_eq!(get(MONITOR + 8) & 1, 0);
    }

    // Addresses at which there is nothing.
    #[test]
    fn unmapped(_p: Peripherals) {
        assert_eq!(trapped(|| { load(0x2000_0000); }).map(|t| t.0), Some(5));
        assert_eq!(trapped(|| store(0x2000_0000, 1)).map(|t| t.0), Some(7));
    }
}
