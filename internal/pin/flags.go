package pin

import (
	"fmt"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
)

// builtinCfgs are names that rustc alone may set: with --cfg they are an
// error as of 1.82 (lint explicit_builtin_cfgs_in_flags). Those marked true
// only with a value. Firmware of 2023 sets target_has_atomic to make the
// library have atomics that the chip lacks, which compilers of that time allow.
var builtinCfgs = map[string]bool{
	"target_has_atomic": true, "target_has_atomic_load_store": true, "target_has_atomic_equal_alignment": true, "target_feature": true,
	"target_arch": true, "target_os": true, "target_family": true, "target_endian": true, "target_pointer_width": true,
	"target_thread_local": false, "unix": false, "windows": false, "debug_assertions": false, "overflow_checks": false,
}

const builtinCfgsSince = "1.82"

// checkFlags refuses the flags of a project that the chosen compiler does not
// accept: every crate would fail to compile, the library first.
func checkFlags(p *project.Project, tc lock.Toolchain) error {
	version := compilerVersion(tc)
	flags := p.Cargo.Rustflags
	if version == "" || cargo.OlderThan(version, builtinCfgsSince) {
		return nil
	}
	if strings.Contains(strings.Join(flags.V, " "), "explicit_builtin_cfgs_in_flags") || strings.Contains(strings.Join(flags.V, " "), "cap-lints") {
		return nil // the project has a level for the lint
	}
	var bad []string
	for i, f := range flags.V {
		cfg, ok := strings.CutPrefix(f, "--cfg=")
		if !ok && f == "--cfg" && i+1 < len(flags.V) {
			cfg, ok = flags.V[i+1], true
		}
		name, _, hasValue := strings.Cut(cfg, "=")
		name = strings.TrimSpace(name)
		valued, builtin := builtinCfgs[name]
		if ok && builtin && hasValue == valued && !slices.Contains(bad, name) {
			bad = append(bad, name)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	hints := []string{"remove --cfg " + strings.Join(bad, ", ") + " from rustflags, and with it target-feature=+a"}
	if slices.ContainsFunc(bad, func(n string) bool { return strings.HasPrefix(n, "target_has_atomic") }) {
		hints = append(hints, `or name a compiler of the firmware's time in rust-toolchain.toml, such as channel = "nightly-2023-11-14"; espalier lock`)
	}
	return fault.New(fault.Pins, fmt.Sprintf("%s: rustflags set --cfg %s, which rustc %s refuses: only the target decides it since %s",
		flags.Origin.Short(), strings.Join(bad, ", "), version, builtinCfgsSince), hints...)
}

// compilerVersion is the version of a toolchain's compiler, as its package has
// it when it is not unpacked yet; empty when it is unknown.
func compilerVersion(tc lock.Toolchain) string {
	version := tc.Rustc
	for _, p := range tc.Packages {
		if version == "" && (p.Name == "rustc" || p.Name == "rustc-web" || strings.HasPrefix(p.Name, "rustc-1.")) {
			version = p.Version
		}
	}
	if i := strings.IndexAny(version, " +~-"); i >= 0 {
		version = version[:i]
	}
	return version
}
