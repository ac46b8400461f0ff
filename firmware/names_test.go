package firmware

import "testing"

func TestDemangle(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"old rust", "_ZN4core3fmt5write17h0123456789abcdefE", "core::fmt::write"},
		{"old rust, escapes", "_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h0123456789abcdefE", "core::ptr::drop_in_place<alloc::string::String>"},
		{"old rust, llvm suffix", "_ZN4core3fmt5write17h0123456789abcdefE.llvm.1234567890123456789", "core::fmt::write"},
		{"old rust, cold part", "_ZN4core3fmt5write17h0123456789abcdefE.cold", "core::fmt::write.cold"},
		{"old rust, llvm and cold", "_ZN4core3fmt5write17h0123456789abcdefE.llvm.77.cold.1", "core::fmt::write.cold.1"},
		{"old rust, wrong length is not c++", "_ZN4core3fmt6write17h0123456789abcdefE", "_ZN4core3fmt6write17h0123456789abcdefE"},
		{"old rust, length too short is not c++", "_ZN4core3fmt4write17h0123456789abcdefE", "_ZN4core3fmt4write17h0123456789abcdefE"},
		{"new rust", "_RNvCs1234_7mycrate3foo", "mycrate::foo"},
		{"new rust, method", "_RNvMNtCs3nzR5nFh6d3_4core3stre19floor_char_boundary", "<str>::floor_char_boundary"},
		{"new rust, closure", "_RNCNvCs1234_7mycrate4main0", "mycrate::main::{closure#0}"},
		{"new rust, suffix", "_RNvCs1234_7mycrate3foo.llvm.99", "mycrate::foo"},
		{"new rust, broken", "_RNvCs1234_7mycrate9foo", "_RNvCs1234_7mycrate9foo"},
		{"c++ stays", "_ZN3Foo3barEi", "_ZN3Foo3barEi"},
		{"c", "app_main", "app_main"},
		{"c with underscore", "_start", "_start"},
		{"empty", "", ""},
		{"prefix only", "_R", "_R"},
		{"prefix only, old", "_ZN", "_ZN"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Demangle(c.in); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestShortPath(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"official std", "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/fmt/mod.rs", "library/core/src/fmt/mod.rs"},
		{"debian std", "/usr/src/rustc-1.96.0/library/core/src/fmt/mod.rs", "library/core/src/fmt/mod.rs"},
		{"rust-src component", "/usr/lib/rustlib/src/rust/library/alloc/src/vec/mod.rs", "library/alloc/src/vec/mod.rs"},
		{"std's own crates", "/usr/lib/rustlib/src/rust/library/compiler-builtins/compiler-builtins/src/int/udiv.rs", "library/compiler-builtins/compiler-builtins/src/int/udiv.rs"},
		{"std, with a detour", "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/../../stdarch/crates/core_arch/src/riscv_shared/mod.rs", "library/stdarch/crates/core_arch/src/riscv_shared/mod.rs"},
		{"std's dependency", "/rust/deps/hashbrown-0.15.2/src/raw/mod.rs", "hashbrown-0.15.2/src/raw/mod.rs"},
		{"vendored crate", "/cargo/registry/src/v/esp-hal-1.2.2/src/gpio/mod.rs", "esp-hal-1.2.2/src/gpio/mod.rs"},
		{"registry crate", "/home/u/.cargo/registry/src/registry.invalid-1949cf8c6b5b557f/esp-hal-1.0.0/src/lib.rs", "esp-hal-1.0.0/src/lib.rs"},
		{"registry crate on windows", `C:\Users\u\.cargo\registry\src\registry.invalid-1949cf8c6b5b557f\esp-hal-1.0.0\src\lib.rs`, "esp-hal-1.0.0/src/lib.rs"},
		{"git crate", "/cargo/git/checkouts/blocking-network-stack-1a2b3c4d5e6f7890/b3ecefc/src/lib.rs", "blocking-network-stack/src/lib.rs"},
		{"project", "/src/src/main.rs", "src/main.rs"},
		{"member of a workspace", "/src/firmware/src/main.rs", "firmware/src/main.rs"},
		{"a project called library", "/src/library/core/mod.rs", "library/core/mod.rs"},
		{"elsewhere", "/home/u/proj/src/main.rs", "/home/u/proj/src/main.rs"},
		{"source is not src", "/srcs/main.rs", "/srcs/main.rs"},
		{"relative", "src/main.rs", "src/main.rs"},
		{"empty", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ShortPath(c.in, "/src"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := ShortPath("/home/u/p/src/main.rs", "/home/u/p/"); got != "src/main.rs" {
		t.Errorf("own prefix: %q", got)
	}
}
