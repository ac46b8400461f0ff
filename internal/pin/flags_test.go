package pin

import (
	"os/exec"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
)

func flagProject(flags ...string) *project.Project {
	return &project.Project{Cargo: cargo.Config{Rustflags: config.NewValue(flags, config.Origin{File: ".cargo/config.toml", Line: 4})}}
}

// Firmware of 2023 is refused with the remedy, unless its compiler is of that time.
func TestFlagsOf2023(t *testing.T) {
	debian := func(version string) lock.Toolchain {
		return lock.Toolchain{Packages: []lock.Package{{Name: "cargo-web", Version: "1.10"}, {Name: "rustc-web", Version: version}}}
	}
	of2023 := []string{"-C", "target-feature=+a", "--cfg", "target_has_atomic", "--cfg", `target_has_atomic="8"`, "--cfg", `target_has_atomic="ptr"`}
	err := checkFlags(flagProject(of2023...), debian("1.96.0+dfsg1-1~deb12u2"))
	want := ".cargo/config.toml:4: rustflags set --cfg target_has_atomic, which rustc 1.96.0 refuses: only the target decides it since 1.82"
	if fault.KindOf(err) != fault.Pins || err.Error() != want || len(fault.Hints(err)) != 2 {
		t.Errorf("%v, hints %q", err, fault.Hints(err))
	}
	for name, c := range map[string]struct {
		flags []string
		tc    lock.Toolchain
	}{
		"old archive":  {of2023, debian("1.63.0+dfsg1-2")},
		"old nightly":  {of2023, lock.Toolchain{Rustc: "1.76.0-nightly (ba7c7a301 2023-11-13)"}},
		"unknown":      {of2023, lock.Toolchain{}},
		"lint allowed": {append([]string{"-A", "explicit_builtin_cfgs_in_flags"}, of2023...), debian("1.96.0")},
		"own names":    {[]string{"--cfg", "target_has_atomic", "--cfg=esp", `--cfg=feature="x"`, "-C", "link-arg=-Tlinkall.x"}, debian("1.96.0")},
		"ends early":   {[]string{"--cfg"}, debian("1.96.0")},
	} {
		if err := checkFlags(flagProject(c.flags...), c.tc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The list is the compiler's own.
func TestBuiltinCfgsLikeRustc(t *testing.T) {
	rustc := devtest.Tool(t, "rustc")
	version, err := exec.Command(rustc, "--version").Output()
	if err != nil {
		t.Skipf("rustc does not run: %v", err)
	}
	tc := lock.Toolchain{Rustc: strings.TrimPrefix(string(version), "rustc ")}
	if cargo.OlderThan(compilerVersion(tc), builtinCfgsSince) {
		t.Skipf("rustc %s accepts all", compilerVersion(tc))
	}
	for name := range builtinCfgs {
		for _, cfg := range []string{name, name + `="x"`} {
			cmd := exec.Command(rustc, "--crate-type", "lib", "--crate-name", "a", "--emit", "metadata", "--cfg", cfg, "-o", t.TempDir()+"/a.rmeta", "-")
			cmd.Stdin = strings.NewReader("#![no_std]\n")
			out, _ := cmd.CombinedOutput()
			refused := strings.Contains(string(out), "unexpected `--cfg "+cfg)
			if ours := checkFlags(flagProject("--cfg", cfg), tc) != nil; ours != refused {
				t.Errorf("--cfg %s: refused %v, by rustc %v\n%s", cfg, ours, refused, out)
			}
		}
	}
}
