package build

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/lock"
)

type info struct {
	fs.FileInfo
	dir bool
}

func (i info) IsDir() bool        { return i.dir }
func (i info) ModTime() time.Time { return time.Time{} }

// The names are those of cargo 1.96; names that end in "/" are directories. The
// own packages' names are prefixes of registry crates' names.
func TestOwnUnits(t *testing.T) {
	u := newOwnUnits([]cargo.Package{
		{Name: "app", Targets: []cargo.Target{{Kind: cargo.KindBin, Name: "app"}, {Kind: cargo.KindBin, Name: "two-words"}, {Kind: cargo.KindBin, Name: "log"}, {Kind: cargo.KindExample, Name: "blinky"}, {Kind: cargo.KindCustomBuild, Name: "build-script-build"}}},
		{Name: "cfg", Targets: []cargo.Target{{Kind: cargo.KindLib, Name: "cfg"}}},
		{Name: "own-macros", Targets: []cargo.Target{{Kind: cargo.KindLib, Name: "own_macros", ProcMacro: true}}},
		{Name: "esp-hal", Targets: []cargo.Target{{Kind: cargo.KindLib, Name: "esp_hal"}}},
	})
	const h, triple = "0123456789abcdef", "riscv32imc-unknown-none-elf"
	for name, keep := range map[string]bool{
		".rustc_info.json":                    true,
		"CACHEDIR.TAG":                        false,
		"release/":                            true,
		"release/.cargo-lock":                 true,
		triple + "/":                          true,
		triple + "/CACHEDIR.TAG":              false,
		triple + "/release/":                  true,
		triple + "/release/.cargo-lock":       true,
		triple + "/release/deps/":             true,
		triple + "/release/build/":            true,
		triple + "/release/.fingerprint/":     true,
		triple + "/release/examples/":         true,
		triple + "/release/app":               false,
		triple + "/release/app.d":             false,
		triple + "/release/libcfg.rlib":       false,
		triple + "/release/libcfg.d":          false,
		"release/libown_macros.so":            false,
		"release/own_macros.dll":              false,
		"release/libproc_macro2.rlib":         true,
		triple + "/release/two-words":         false,
		triple + "/release/log":               false,
		"release/deps/liblog-" + h + ".rlib":  true, // of the crate log
		"release/deps/liblog-" + h + ".rmeta": true,
		triple + "/release/deps/log-" + h:     false,
		triple + "/debug/app":                 false,
		triple + "/my-profile/app":            false,
		triple + "/release/examples/blinky":   false,

		triple + "/release/.fingerprint/app-" + h + "/":                          false,
		triple + "/release/.fingerprint/app-" + h + "/bin-app.json":              false,
		triple + "/release/.fingerprint/application-" + h + "/":                  true,
		triple + "/release/.fingerprint/cfg-" + h + "/":                          false,
		triple + "/release/.fingerprint/cfg-if-" + h + "/":                       true,
		triple + "/release/.fingerprint/cfg-if-" + h + "/lib-cfg_if.json":        true,
		triple + "/release/.fingerprint/esp-hal-" + h + "/":                      false,
		triple + "/release/.fingerprint/esp-hal-procmacros-" + h + "/":           true,
		triple + "/release/.fingerprint/two-words-" + h + "/":                    true, // a target's name, not a package's
		"release/.fingerprint/own-macros-" + h + "/":                             false,
		"release/build/app-" + h + "/":                                           false,
		"release/build/app-" + h + "/build-script-build":                         false,
		"release/build/app-" + h + "/out/x":                                      false,
		"release/build/cfg-if-" + h + "/build-script-build":                      true,
		"release/build/other-" + h + "/out/build/app-" + h + "/x":                true, // output of a build script
		"release/build/other-" + h + "/out/app":                                  true,
		triple + "/release/build/esp-hal-" + h + "/out/memory.x":                 false,
		triple + "/release/build/esp-hal-procmacros-" + h + "/out/deps/app-" + h: true,
		triple + "/release/deps/app-" + h:                                        false,
		triple + "/release/deps/app-" + h + ".d":                                 false,
		triple + "/release/deps/app-" + h + ".app.7f3a-cgu.0.rcgu.o":             false,
		triple + "/release/deps/two_words-" + h:                                  false,
		triple + "/release/deps/libcfg-" + h + ".rlib":                           false,
		triple + "/release/deps/libcfg-" + h + ".rmeta":                          false,
		triple + "/release/deps/cfg-" + h + ".d":                                 false,
		triple + "/release/deps/libcfg_if-" + h + ".rlib":                        true,
		triple + "/release/deps/cfg_if-" + h + ".d":                              true,
		triple + "/release/deps/libesp_hal-" + h + ".rmeta":                      false,
		triple + "/release/deps/libesp_hal_procmacros-" + h + ".so":              true,
		triple + "/release/deps/libcore-" + h + ".rlib":                          true,
		"release/deps/libown_macros-" + h + ".so":                                false,
		"release/deps/own_macros-" + h + ".d":                                    false,
		triple + "/release/examples/blinky-" + h:                                 false,
		triple + "/release/examples/blinky-" + h + ".d":                          false,
		triple + "/release/deps/app-0123":                                        true, // not a unit of cargo
	} {
		got := u.keep(strings.TrimSuffix(name, "/"), info{dir: strings.HasSuffix(name, "/")})
		if got != keep {
			t.Errorf("keep(%q) = %v", name, got)
		}
	}
}

// A dependency with the name of an own package or library is told apart by what
// cargo has said about its unit.
func TestOwnUnitsOfOneName(t *testing.T) {
	u := newOwnUnits([]cargo.Package{{Name: "log", Targets: []cargo.Target{{Kind: cargo.KindLib, Name: "log"}, {Kind: cargo.KindCustomBuild, Name: "build-script-build"}}}})
	const own, other, triple = "0123456789abcdef", "00000000000000aa", "riscv32imc-unknown-none-elf"
	u.dependency = func(unit string) bool { return strings.HasSuffix(unit, other) }
	for _, name := range []string{
		triple + "/release/deps/liblog-HASH.rlib", triple + "/release/deps/liblog-HASH.rmeta", triple + "/release/deps/log-HASH.d",
		triple + "/release/.fingerprint/log-HASH", triple + "/release/.fingerprint/log-HASH/lib-log", "release/build/log-HASH/build-script-build",
		triple + "/release/build/log-HASH/out/x", triple + "/release/deps/log-HASH.log.7f3a-cgu.0.rcgu.o",
	} {
		for hash, keep := range map[string]bool{own: false, other: true} {
			if got := u.keep(strings.Replace(name, "HASH", hash, 1), info{}); got != keep {
				t.Errorf("keep(%q) of %s = %v", name, hash, got)
			}
		}
	}
	if u.keep(triple+"/release/liblog.rlib", info{}) {
		t.Error("an uplifted library is in the layer")
	}
}

func TestIsHostUnit(t *testing.T) {
	const h, triple = "0123456789abcdef", "riscv32imc-unknown-none-elf"
	for name, want := range map[string]bool{
		"release/deps/libsyn-" + h + ".rlib":                   true,
		"release/deps/libesp_hal_procmacros-" + h + ".so":      true,
		"release/build/anyhow-" + h + "/build-script-build":    true,
		"release/build/anyhow-" + h + "/out/tool":              false,
		"release/build/anyhow-" + h + "/out/deps/tool":         false,
		"release/.fingerprint/anyhow-" + h + "/lib-anyhow":     false,
		triple + "/release/deps/libcore-" + h + ".rlib":        false,
		triple + "/release/build/esp-hal-" + h + "/out/x.a":    false,
		triple + "/deps/deps/libcore-" + h + ".rlib":           false, // a profile of that name
		triple + "/build/esp-hal-" + h + "/build-script-build": false,
		".rustc_info.json": false,
	} {
		if got := isHostUnit(name, triple); got != want {
			t.Errorf("isHostUnit(%q) = %v", name, got)
		}
	}
}

func TestKeepScripts(t *testing.T) {
	u := newOwnUnits([]cargo.Package{{Name: "app"}, {Name: "cfg"}})
	const h = "0123456789abcdef"
	for name, keep := range map[string]bool{
		"release/":                                                               true,
		"release/deps/":                                                          false,
		"release/deps/app-" + h:                                                  false,
		"release/build/":                                                         true,
		"release/build/app-" + h + "/":                                           true,
		"release/build/cfg-if-" + h + "/":                                        false,
		"release/build/app-" + h + "/build-script-build":                         true,
		"release/build/app-" + h + "/build_script_build-" + h:                    true,
		"release/build/app-" + h + "/build_script_build-" + h + ".d":             true,
		"release/build/app-" + h + "/output":                                     false, // of a build script run
		"release/build/app-" + h + "/out/":                                       false,
		"release/build/app-" + h + "/root-output":                                false,
		"release/.fingerprint/app-" + h + "/":                                    true,
		"release/.fingerprint/app-" + h + "/build-script-build-script-build":     true,
		"release/.fingerprint/app-" + h + "/dep-build-script-build-script-build": true,
		"release/.fingerprint/app-" + h + "/invoked.timestamp":                   true,
		"release/.fingerprint/app-" + h + "/run-build-script-build-script-build": false,
		"release/.fingerprint/app-" + h + "/lib-app":                             false,
		"riscv32imc-unknown-none-elf/release/build/app-" + h + "/output":         false,
		".rustc_info.json":                                                       false,
	} {
		if got := u.keepScripts(strings.TrimSuffix(name, "/"), info{dir: strings.HasSuffix(name, "/")}); got != keep {
			t.Errorf("keepScripts(%q) = %v", name, got)
		}
	}
}

func FuzzOwnUnits(f *testing.F) {
	f.Add("release/deps/app-0123456789abcdef.d", false)
	f.Add("", true)
	f.Fuzz(func(t *testing.T, name string, dir bool) {
		u := newOwnUnits([]cargo.Package{{Name: "app", Targets: []cargo.Target{{Kind: cargo.KindBin, Name: "app"}}}})
		if u.keep(name, info{dir: dir}); !strings.Contains(name, "app") && !strings.HasSuffix(name, "CACHEDIR.TAG") && !u.keep(name, info{dir: dir}) {
			t.Errorf("%q is taken for an own unit", name)
		}
	})
}

func TestArtifactDirOfOldCargo(t *testing.T) {
	for rustc, want := range map[string]string{"1.76.0-nightly (ba7c7a301 2023-11-13)": "--out-dir", "1.63.0": "--out-dir", "1.81.0": "--artifact-dir", "1.96.0 (ac68faa20 2026-05-25)": "--artifact-dir", "": "--artifact-dir"} {
		if got := artifactDir(&lock.File{Toolchains: []lock.Toolchain{{Host: lock.Host(), Rustc: rustc}}}); got != want {
			t.Errorf("rustc %s: %s", rustc, got)
		}
	}
}
