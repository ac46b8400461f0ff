package build

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
)

// environment returns the complete environment of a build step. Of the caller's
// environment it contains only the variables that espalier.toml declares.
func environment(p *project.Project, pins *lock.File) (env, secrets map[string]string, err error) {
	if err := p.CheckEnvValues(); err != nil {
		return nil, nil, err
	}
	env = map[string]string{
		"PATH":              "/usr/bin",
		"HOME":              layout.Home,
		"USER":              "espalier",
		"CARGO_HOME":        layout.CargoHome,
		"CARGO_TARGET_DIR":  layout.Target,
		"CARGO_INCREMENTAL": "0",
		"CARGO_NET_OFFLINE": "true",
		// Messages always contain colours. Whether they are shown is decided
		// when they are printed, so that it does not change a step.
		"CARGO_TERM_COLOR":         "always",
		"CARGO_TERM_PROGRESS_WHEN": "never",
		// A stable compiler has to accept -Zbuild-std: the distribution has no
		// prebuilt core for the target.
		"RUSTC_BOOTSTRAP":   "1",
		"SOURCE_DATE_EPOCH": strconv.FormatInt(pins.Project.SourceDateEpoch, 10),
		"TZ":                "UTC",
		"LC_ALL":            "C.UTF-8",
	}
	for _, v := range p.Espalier.Build.Env {
		if _, taken := env[v.Name]; taken {
			return nil, nil, fault.New(fault.Usage,
				fmt.Sprintf("%s: %s is set by espalier itself and cannot be declared", v.Origin, v.Name))
		}
		if v.Secret {
			if secrets == nil {
				secrets = map[string]string{}
			}
			secrets[v.Name] = v.Value
		} else {
			env[v.Name] = v.Value
		}
	}
	return env, secrets, nil
}

// command is cargo's command line up to the selection of targets, which are of
// one package; verb is "build", "rustc" or "test".
func command(p *project.Project, pins *lock.File, verb string, targets ...cargo.Target) []string {
	argv := []string{layout.Cargo, verb, "--locked", "--offline", "--config", layout.Config,
		"--message-format", "json-diagnostic-rendered-ansi",
		"--profile", profile(p), "--package", packageSpec(p, targets[0].Package)}
	for _, t := range targets {
		switch t.Kind {
		case cargo.KindLib:
			argv = append(argv, "--lib")
		case cargo.KindExample, cargo.KindTest, cargo.KindBin:
			argv = append(argv, "--"+t.Kind, t.Name)
		}
	}
	if comparesChecksums(p, pins) {
		argv = append(argv, checksumFreshness)
	}
	if !p.Cargo.Target.IsSet() || p.Cargo.Target.V != p.Target() {
		argv = append(argv, "--target", p.Target())
	}
	b := p.Espalier.Build
	if len(b.Features.V) > 0 {
		argv = append(argv, "--features", strings.Join(b.Features.V, ","))
	}
	if b.NoDefaultFeatures.V {
		argv = append(argv, "--no-default-features")
	}
	if b.AllFeatures.V {
		argv = append(argv, "--all-features")
	}
	return argv
}

// packageSpec is the package ID specification of an own package: its name, or
// its address when a dependency has the same name (cargo-pkgid(1)). A name with
// a version is not used: cargo before 1.66 writes it otherwise, and a dependency
// can have the same version, too.
func packageSpec(p *project.Project, name string) string {
	same := func(l cargo.LockedPackage) bool { return l.Name == name }
	if p.CargoLock == nil {
		return name
	}
	first := slices.IndexFunc(p.CargoLock.Packages, same)
	if first < 0 || !slices.ContainsFunc(p.CargoLock.Packages[first+1:], same) {
		return name
	}
	for _, own := range p.Own {
		if own.Name == name && own.Member {
			dir := url.URL{Scheme: "file", Path: path.Join(layout.Src, own.Dir), Fragment: name}
			return dir.String()
		}
	}
	return name
}

// artifactDir is the flag that names the directory of the result. It had another
// name before cargo 1.80, which 1.80 itself still accepts.
func artifactDir(pins *lock.File) string {
	tc, _ := pins.Toolchain(lock.Host())
	version, _, _ := strings.Cut(tc.Rustc, " ")
	if version != "" && cargo.OlderThan(version, "1.81") {
		return "--out-dir"
	}
	return "--artifact-dir"
}

func profile(p *project.Project) string {
	switch p.Profile {
	case "", "release":
		return "release"
	case "debug":
		return "dev"
	}
	return p.Profile
}

// platform returns the requirements of a step on the machine that runs it. The
// recipe number is increased when the meaning of a plan changes without a
// change of the command line.
func platform(recipe string) map[string]string {
	return map[string]string{"OSFamily": "linux", "ISA": "x86-64", "recipe": recipe}
}
