package adopt

import (
	"regexp"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/tomldoc"
)

// rule finds entries of one kind. Its name is in lower case, words separated by
// dashes.
type rule struct {
	name string
	why  string // for findings that have no reason of their own
	find func(*view) []Finding
}

var rules = []rule{
	{"std-dev-dependency", "a crate of the standard library's own Cargo.lock that no source uses: it was added so that another tool vendors it; espalier lock pins both locks", stdDevDependencies},
	{"unused-patch", "Cargo.lock says that no crate uses this [patch]", unusedPatches},
	{"atomics-flag", "it makes the compiler emit atomic instructions, which the chip does not have", atomicsFlags},
	{"builtin-cfg", "only the target decides this cfg: rustc 1.82 and later refuse it in flags", builtinCfgs},
	{"xtensa-flag", "it is for the Xtensa chips' compiler; the linker of this target does not know it", xtensaFlags},
	{"rom-functions", "no crate of Cargo.lock has this linker script: esp-hal has the addresses of ROM functions in linkall.x", romFunctions},
	{"linker", "the target has its own linker, rust-lld; a C compiler does not take its arguments", linkers},
	{"runner-of-another-target", "the project does not build for this target, so this runner is not used", otherRunners},
	{"sparse-protocol", "sparse is the default since cargo 1.70", sparseProtocol},
	{"git-fetch-with-cli", "espalier fetches commits without cargo, with the user's own git configuration; cargo alone may still need it", gitWithCLI},
	{"env-of-cargo", "[env] is for the programs that cargo starts; cargo itself does not read it", envOfCargo},
}

// stdCrates are the crates in the Cargo.lock of rust-src, of any release since
// 1.56, that are not of the library itself.
var stdCrates = []string{
	"addr2line", "adler", "adler2", "ahash", "allocator-api2", "autocfg", "cc", "cfg-if", "compiler_builtins", "cupid", "dlmalloc", "equivalent",
	"foldhash", "fortanix-sgx-abi", "getopts", "gimli", "hashbrown", "hermit-abi", "hex", "indexmap", "libc", "memchr", "miniz_oxide", "moto-rt",
	"object", "once_cell", "ppv-lite86", "quick-error", "r-efi", "r-efi-alloc", "rand", "rand_chacha", "rand_core", "rand_hc", "rand_xorshift",
	"rustc-demangle", "rustc-literal-escaper", "rustc-std-workspace-alloc", "rustc-std-workspace-core", "rustc-std-workspace-std", "shlex",
	"unicode-width", "unwinding", "version_check", "vex-sdk", "wasi", "windows-link", "windows-sys", "windows-targets", "wit-bindgen",
}

func stdDevDependencies(v *view) (out []Finding) {
	for _, d := range v.manifests {
		for _, table := range []string{"dev-dependencies", "dev_dependencies"} {
			deps := d.root.Get(table)
			if deps == nil || deps.Kind != tomldoc.Table {
				continue
			}
			for _, k := range deps.Keys {
				name := k.Name
				if n := k.Value.Get("package"); n != nil {
					name = n.Text
				}
				if !slices.Contains(stdCrates, name) && !strings.HasPrefix(name, "windows_") || v.uses(k.Name) || named(d.root, k.Name) {
					continue
				}
				out = append(out, d.entry(k))
			}
		}
	}
	return out
}

// uses reports whether a source of the project names a crate.
func (v *view) uses(crate string) bool {
	id := regexp.QuoteMeta(strings.ReplaceAll(crate, "-", "_"))
	return regexp.MustCompile(`\b(r#)?` + id + `\s*::|\buse\s+(r#)?` + id + `\b|\bextern\s+crate\s+` + id + `\b`).MatchString(v.sources)
}

// named reports whether a feature of the manifest names a dependency.
func named(root *tomldoc.Node, crate string) bool {
	features := root.Get("features")
	if features == nil {
		return false
	}
	for _, k := range features.Keys {
		for _, e := range k.Value.Elem {
			if name, _, _ := strings.Cut(strings.TrimPrefix(e.Text, "dep:"), "/"); strings.TrimSuffix(name, "?") == crate {
				return true
			}
		}
	}
	return false
}

func unusedPatches(v *view) (out []Finding) {
	if v.project.CargoLock == nil {
		return nil
	}
	for _, d := range v.manifests {
		patch := d.root.Get("patch")
		if patch == nil {
			continue
		}
		for _, source := range patch.Keys {
			for _, k := range source.Value.Keys {
				name := k.Name
				if n := k.Value.Get("package"); n != nil {
					name = n.Text
				}
				if slices.ContainsFunc(v.project.CargoLock.Unused, func(p cargo.LockedPackage) bool { return p.Name == name }) {
					out = append(out, d.entry(k))
				}
			}
		}
	}
	return out
}

// flags calls visit with each array of rustflags that applies to the chip's
// target: of [build], of [target.NAME] and of profiles. Flags that are written as
// one string are not edited.
func (v *view) flags(visit func(document, []*tomldoc.Node)) {
	for _, d := range v.configs {
		var walk func(n *tomldoc.Node, parent string)
		walk = func(n *tomldoc.Node, parent string) {
			for _, k := range n.Keys {
				switch {
				case parent == "target" && !strings.HasPrefix(k.Name, "riscv32") && (!strings.HasPrefix(k.Name, "cfg(") || strings.Contains(k.Name, "xtensa")):
				case k.Name == "rustflags" && k.Value.Kind == tomldoc.Array:
					visit(d, k.Value.Elem)
				case k.Value.Kind == tomldoc.Table:
					walk(k.Value, k.Name)
				}
			}
		}
		walk(d.root, "")
	}
}

// codegen returns the value of a flag "-C value", "-Cvalue" or "--codegen=value"
// at an element, and the elements that it has; nil when it is another flag.
func codegen(elems []*tomldoc.Node, i int) (value string, of []*tomldoc.Node) {
	f := elems[i].Text
	for _, name := range []string{"-C", "--codegen"} {
		rest, ok := strings.CutPrefix(f, name)
		switch {
		case !ok:
		case rest == "" && i+1 < len(elems):
			return elems[i+1].Text, elems[i : i+2]
		case rest != "":
			return strings.TrimSpace(strings.TrimPrefix(rest, "=")), elems[i : i+1]
		}
	}
	return "", nil
}

func (v *view) codegenFlags(pick func(value string) bool) (out []Finding) {
	v.flags(func(d document, elems []*tomldoc.Node) {
		for i := range elems {
			if value, of := codegen(elems, i); of != nil && pick(value) {
				out = append(out, d.element(of...))
			}
		}
	})
	return out
}

func atomicsFlags(v *view) []Finding {
	out := v.codegenFlags(func(value string) bool { return value == "target-feature=+a" })
	for i := range out {
		out[i].Keep = v.needsAtomics()
	}
	return out
}

func builtinCfgs(v *view) (out []Finding) {
	v.flags(func(d document, elems []*tomldoc.Node) {
		for i, e := range elems {
			of, text := elems[i:i+1], ""
			switch rest, ok := strings.CutPrefix(e.Text, "--cfg"); {
			case !ok:
				continue
			case rest == "" && i+1 < len(elems):
				of, text = elems[i:i+2], elems[i+1].Text
			default:
				text = strings.TrimPrefix(rest, "=")
			}
			if name, _, _ := strings.Cut(strings.TrimSpace(text), "="); strings.HasPrefix(name, "target_has_atomic") {
				f := d.element(of...)
				f.Keep = v.needsAtomics()
				out = append(out, f)
			}
		}
	})
	return out
}

// emulation is the crate that executes atomic instructions in a trap handler,
// for the crates of esp-hal until 2024.
const emulation = "riscv-atomic-emulation-trap"

// needsAtomics says why the flags for atomics have to stay until crates or the
// compiler are updated; "" when they need not.
func (v *view) needsAtomics() string {
	channel := v.project.Toolchain.Channel.V
	if OldAtomics(channel) {
		return "the crates of this lock were compiled with it by " + channel + "; it goes with espalier update and a newer compiler"
	}
	if lock := v.project.CargoLock; lock != nil && slices.ContainsFunc(lock.Packages, func(p cargo.LockedPackage) bool { return p.Name == emulation }) {
		return "Cargo.lock has " + emulation + ": the crates of this lock need it; it goes with espalier update"
	}
	return ""
}

// builtinCfgNightly is the first nightly that refuses builtin cfgs in flags
// (rust-lang/rust#126158, release 1.82).
const builtinCfgNightly = "nightly-2024-08-09"

// OldAtomics reports whether the compiler of a channel lets flags declare
// atomic instructions.
func OldAtomics(channel string) bool {
	if strings.HasPrefix(channel, "nightly-") {
		return channel < builtinCfgNightly
	}
	_, ok := cargo.ParseVersion(channel)
	return ok && cargo.OlderThan(channel, "1.82")
}

func xtensaFlags(v *view) []Finding {
	return v.codegenFlags(func(value string) bool {
		return value == "link-arg=-nostartfiles" || strings.HasPrefix(value, "link-arg=-mlongcalls")
	})
}

// romCrates are the crates whose build scripts make rom_functions.x.
var romCrates = []string{"esp-wifi", "esp-wifi-sys", "esp-radio"}

func romFunctions(v *view) []Finding {
	lock := v.project.CargoLock
	if lock == nil || slices.ContainsFunc(lock.Packages, func(p cargo.LockedPackage) bool { return slices.Contains(romCrates, p.Name) }) {
		return nil
	}
	return v.codegenFlags(func(value string) bool { return value == "link-arg=-Trom_functions.x" })
}

// targets calls visit with each table [target.NAME] of the configuration.
func (v *view) targets(visit func(d document, name string, t *tomldoc.Node)) {
	for _, d := range v.configs {
		t := d.root.Get("target")
		if t == nil || t.Kind != tomldoc.Table {
			continue
		}
		for _, k := range t.Keys {
			if k.Value.Kind == tomldoc.Table {
				visit(d, k.Name, k.Value)
			}
		}
	}
}

// compilerDriver is the file name of a C compiler: gcc, riscv32-unknown-elf-gcc,
// cc, clang-16.
var compilerDriver = regexp.MustCompile(`(^|[/-])(gcc|cc|clang)(-[0-9.]+)?$`)

func linkers(v *view) (out []Finding) {
	v.targets(func(d document, name string, t *tomldoc.Node) {
		for _, k := range t.Keys {
			if k.Name == "linker" && strings.HasPrefix(name, "riscv32") && strings.HasSuffix(name, "-none-elf") &&
				(compilerDriver.MatchString(k.Value.Text) || k.Value.Text == "rust-lld") {
				f := d.entry(k)
				if k.Value.Text == "rust-lld" {
					f.Why = "it is the target's own linker"
				}
				out = append(out, f)
			}
		}
	})
	return out
}

func otherRunners(v *view) (out []Finding) {
	target := v.project.Cargo.Target.V
	if target == "" {
		target = cargo.DefaultTarget
	}
	v.targets(func(d document, name string, t *tomldoc.Node) {
		for _, k := range t.Keys {
			if k.Name == "runner" && name != target && !strings.HasPrefix(name, "cfg(") && strings.HasSuffix(name, "-none-elf") {
				out = append(out, d.entry(k))
			}
		}
	})
	return out
}

func sparseProtocol(v *view) []Finding {
	return v.keys(func(k tomldoc.Key) bool { return k.Value.Text == "sparse" }, "registries", "crates-io", "protocol")
}

func gitWithCLI(v *view) []Finding {
	out := v.keys(func(k tomldoc.Key) bool { return k.Value.Bool }, "net", "git-fetch-with-cli")
	for i := range out {
		out[i].Keep = "cargo without espalier may need it"
	}
	return out
}

func envOfCargo(v *view) (out []Finding) {
	for _, d := range v.configs {
		env := d.root.Get("env")
		if env == nil || env.Kind != tomldoc.Table {
			continue
		}
		for _, k := range env.Keys {
			if k.Name == "RUSTFLAGS" || k.Name == "CARGO_BUILD_TARGET" || k.Name == "CARGO_UNSTABLE_BUILD_STD" || k.Name == "RUSTUP_TOOLCHAIN" ||
				strings.HasPrefix(k.Name, "CARGO_TARGET_") || strings.HasPrefix(k.Name, "CARGO_PROFILE_") || strings.HasPrefix(k.Name, "CARGO_NET_") {
				out = append(out, d.entry(k))
			}
		}
	}
	return out
}

// keys finds a key of the configuration.
func (v *view) keys(pick func(tomldoc.Key) bool, path ...string) (out []Finding) {
	last := path[len(path)-1]
	for _, d := range v.configs {
		t := d.root.Get(path[:len(path)-1]...)
		if t == nil || t.Kind != tomldoc.Table {
			continue
		}
		for _, k := range t.Keys {
			if k.Name == last && pick(k) {
				out = append(out, d.entry(k))
			}
		}
	}
	return out
}
