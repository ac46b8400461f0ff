package build

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/layout"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/supply/git"
)

// environment is the whole environment of a build step. Nothing of the
// caller's is in it but the variables that espalier.toml declares.
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
		// Colours are always in the messages: whether they are shown is decided
		// where they are printed, so that it cannot change a step.
		"CARGO_TERM_COLOR":         "always",
		"CARGO_TERM_PROGRESS_WHEN": "never",
		// A stable compiler has to accept -Zbuild-std; the distribution's has no
		// prebuilt core for the chip.
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

// config is the text of the configuration file that is passed with --config,
// outside the project, so that the project's own stays in force.
func config(p *project.Project, pins *lock.File) string {
	var b strings.Builder
	b.WriteString("# Made by espalier: where a build finds what is locked.\n\n")
	b.WriteString(buildStd(p))
	fmt.Fprintf(&b, "[source.espalier-vendor]\ndirectory = %q\n\n", layout.Vendor)
	b.WriteString("[source.crates-io]\nreplace-with = \"espalier-vendor\"\n\n")
	for _, r := range registries(pins) {
		fmt.Fprintf(&b, "[source.%q]\nregistry = %q\nreplace-with = \"espalier-vendor\"\n\n", r, strings.TrimPrefix(r, "registry+"))
	}
	b.WriteString(git.Sources(pins.Git, layout.Checkouts))
	return b.String()
}

// buildStd returns what the configuration adds to [unstable] build-std: core
// and alloc when the project asks for nothing, alloc when its list has core
// alone. With a prebuilt standard library alloc is always there, and templates
// that were made for one list only core.
func buildStd(p *project.Project) string {
	want := p.Cargo.BuildStd
	switch {
	case !want.IsSet() || len(want.V) == 0:
		return "[unstable]\nbuild-std = [\"core\", \"alloc\"]\n\n"
	case slices.Contains(want.V, "alloc") || slices.Contains(want.V, "std"):
		return ""
	case p.Cargo.BuildStdText: // cargo joins lists; a string replaces a string
		return fmt.Sprintf("[unstable]\nbuild-std = %q\n\n", strings.Join(append(slices.Clone(want.V), "alloc"), ","))
	}
	return "[unstable]\nbuild-std = [\"alloc\"]\n\n"
}

// registries lists the sources of crates besides the default registry.
func registries(pins *lock.File) []string {
	var out []string
	seen := map[string]bool{}
	for _, c := range pins.Crates {
		if c.Source != "" && !seen[c.Source] {
			seen[c.Source] = true
			out = append(out, c.Source)
		}
	}
	return out
}

// command is cargo's command line up to the target selection; verb is "build"
// or "rustc".
func command(p *project.Project, pins *lock.File, t cargo.Target, verb string) []string {
	argv := []string{layout.Cargo, verb, "--locked", "--offline", "--config", layout.Config,
		"--message-format", "json-diagnostic-rendered-ansi",
		"--profile", profile(p), "--package", t.Package}
	switch t.Kind {
	case cargo.KindExample:
		argv = append(argv, "--example", t.Name)
	default:
		argv = append(argv, "--bin", t.Name)
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

func profile(p *project.Project) string {
	switch p.Profile {
	case "", "release":
		return "release"
	case "debug":
		return "dev"
	}
	return p.Profile
}

// platform is what a step asks of the machine that runs it. The recipe number
// changes when the meaning of the plan does, although no command line shows it.
func platform(recipe string) map[string]string {
	return map[string]string{"OSFamily": "linux", "ISA": "x86-64", "recipe": recipe}
}
