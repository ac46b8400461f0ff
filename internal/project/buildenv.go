package project

import (
	"sort"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// buildEnv reads [build.env]. Values that come from the caller's environment are
// read at this moment, other secrets when they are needed; a secret is never part
// of an origin, a setting or a message.
func (x *layers) buildEnv(c Config) []BuildVar {
	t := x.own.Get("build", "env")
	if t == nil || x.err != nil {
		return nil
	}
	if t.Kind != tomldoc.Table {
		x.fail(t.Errorf("build.env: want a table, found %s", t.Kind))
		return nil
	}
	var out []BuildVar
	for _, k := range t.Keys {
		v := BuildVar{Name: k.Name, Origin: config.At(t.File(), k.Pos)}
		if why := reservedEnv(k.Name); why != "" {
			x.fail(t.ErrorAt(k.Pos, "build.env cannot set %s: %s", k.Name, why))
			return nil
		}
		r := &tomldoc.Reader{}
		shown := ""
		switch k.Value.Kind {
		case tomldoc.String:
			v.Value, v.Set = k.Value.Text, true
			if shown = v.Value; secretName(k.Name) {
				shown = hiddenValue
			}
		case tomldoc.Table:
			r.Known(k.Value, "build.env."+k.Name, "value", "from-env", "secret")
			v.FromEnv = r.Bool(k.Value, "from-env", false)
			if n := k.Value.Get("secret"); n != nil && n.Kind == tomldoc.String {
				v.From, v.Secret = n.Text, true
			} else if v.Secret = r.Bool(k.Value, "secret", false); v.Secret {
				v.From = k.Name
			}
			if n := k.Value.Get("value"); n != nil {
				v.Value, v.Set = r.String(k.Value, "value"), true
				if v.FromEnv || v.Secret {
					r.Fail(n.Errorf("build.env.%s: value excludes from-env and secret; a secret must not be in a file", k.Name))
				}
				shown = v.Value
			} else if !v.FromEnv && !v.Secret {
				r.Fail(k.Value.Errorf("build.env.%s: want a string, {from-env = true} or {secret = true}", k.Name))
			} else if v.Secret {
				s := c.Secret(v.From)
				v.Value, v.Set = s.fromEnvironment(x.lookup)
				if shown = hiddenValue; !v.Set && s.Env != "" {
					shown = "(not set)"
				}
			} else {
				v.FromEnv = true
				v.Value, v.Set = x.lookup(k.Name)
				if shown = v.Value; secretName(k.Name) {
					shown = hiddenValue
				}
				if !v.Set {
					shown = "(not set)"
				}
			}
		default:
			r.Fail(k.Value.Errorf("build.env.%s: want a string or a table, found %s", k.Name, k.Value.Kind))
		}
		if r.Err() != nil {
			x.fail(r.Err())
			return nil
		}
		x.out = append(x.out, Setting{Name: "build.env." + k.Name, Value: shown, Origin: v.Origin})
		out = append(out, v)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// reservedEnv says why a variable is not the project's to set.
func reservedEnv(name string) string {
	switch {
	case !envName.MatchString(name):
		return "a name has letters, digits and _ only"
	case name == "RUSTFLAGS" || name == "CARGO_ENCODED_RUSTFLAGS" || strings.HasPrefix(name, "CARGO_BUILD_") || strings.HasPrefix(name, "CARGO_TARGET_") || strings.HasPrefix(name, "CARGO_UNSTABLE_"):
		return "it would replace what .cargo/config.toml says; write it there"
	case name == "RUSTC_BOOTSTRAP":
		return "espalier sets it when the project asks for build-std"
	case name == "CARGO_HOME" || name == "HOME" || name == "PATH" || name == "TMPDIR" || name == "TZ" || strings.HasPrefix(name, "RUSTUP_"):
		return "the sandbox decides it"
	case name == "SOURCE_DATE_EPOCH":
		return "it is in espalier.lock"
	}
	return ""
}
