package project

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/tomldoc"
)

// Secret is one entry of [secret]: where a value comes from when it is needed.
// Exactly one of Env, File and Command is set.
type Secret struct {
	Name    string
	Env     string   // variable of the caller's environment
	File    string   // absolute; its first line is the value
	Command []string // program and arguments; the first line that it prints is the value
	StandIn string   // what a reproducible build contains instead
	Dir     string   // of the file that declares it, absolute: Command runs there
	Origin  config.Origin
}

// DefaultStandIn is the stand-in of a secret that declares none. It has the eight
// characters that a WPA passphrase needs.
const DefaultStandIn = "stand-in"

// secrets reads [secret].
func (x *layers) secrets() (out []Secret) {
	t := x.own.Get("secret")
	if t == nil || x.err != nil || t.Kind != tomldoc.Table {
		return nil
	}
	for _, k := range t.Keys {
		s := Secret{Name: k.Name, StandIn: DefaultStandIn, Dir: filepath.Dir(t.File()), Origin: config.At(t.File(), k.Pos)}
		where := "secret." + k.Name
		if !envName.MatchString(k.Name) {
			x.fail(t.ErrorAt(k.Pos, "%s: a name has letters, digits and _ only", where))
			return nil
		}
		if k.Value.Kind != tomldoc.Table {
			x.fail(k.Value.Errorf("%s: want {env = \"NAME\"}, {file = \"PATH\"} or {command = [\"PROGRAM\", …]}; a secret must not be in a file of the project", where))
			return nil
		}
		r := &tomldoc.Reader{}
		r.Known(k.Value, where, "env", "file", "command", "stand-in")
		s.Env, s.File, s.Command = r.String(k.Value, "env"), r.String(k.Value, "file"), r.Strings(k.Value, "command")
		if k.Value.Get("stand-in") != nil {
			s.StandIn = r.String(k.Value, "stand-in")
		}
		n := 0
		for _, set := range []bool{s.Env != "", s.File != "", len(s.Command) > 0} {
			if set {
				n++
			}
		}
		if n == 0 && k.Value.Get("file") == nil && k.Value.Get("command") == nil {
			s.Env, n = k.Name, 1
		}
		if n != 1 {
			r.Fail(k.Value.Errorf("%s: want one of env, file and command", where))
		}
		if r.Err() != nil {
			x.fail(r.Err())
			return nil
		}
		source := "environment " + s.Env
		switch {
		case s.File != "":
			s.File = secretFile(s.Dir, s.File, x.lookup)
			source = "file " + x.l.Show(s.File)
		case len(s.Command) > 0:
			source = "command " + s.Command[0]
		}
		x.out = append(x.out, Setting{Name: where, Value: "(secret, from " + source + ")", Origin: s.Origin})
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Secret) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// secretFile resolves a file name; "~/" is the user's home directory.
func secretFile(dir, name string, lookup func(string) (string, bool)) string {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		if home, ok := lookup("HOME"); ok {
			return filepath.Join(home, filepath.FromSlash(rest))
		}
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, filepath.FromSlash(rest))
		}
	}
	return config.Join(dir, name)
}

// Secret returns the secret with a name. One that [secret] does not declare is the
// variable of that name.
func (c Config) Secret(name string) Secret {
	for _, s := range c.Secrets {
		if s.Name == name {
			return s
		}
	}
	return Secret{Name: name, Env: name, StandIn: DefaultStandIn}
}

// fromEnvironment is the value of a secret that the environment has. Files are not
// read and commands are not run before the value is needed.
func (s Secret) fromEnvironment(lookup func(string) (string, bool)) (string, bool) {
	if s.Env == "" {
		return "", false
	}
	return lookup(s.Env)
}

// ResolveSecrets gets the values of the secrets that [build.env] names and that
// come from a file or a command, with get, and gives them to the emulated access
// point as Open does with those from the environment.
func (p *Project) ResolveSecrets(get func(Secret) (string, error)) error {
	for i := range p.Espalier.Build.Env {
		v := &p.Espalier.Build.Env[i]
		if !v.Secret || v.Set {
			continue
		}
		s := p.Espalier.Secret(v.From)
		if s.Env != "" {
			continue // CheckEnvValues says that it is not set
		}
		value, err := get(s)
		if err != nil {
			return err
		}
		v.Value, v.Set = value, true
	}
	p.secretCredentials()
	return p.nvsCredentials(get)
}

// nvsCredentials gives the emulated access point the credentials of [nvs] that come
// from a file or a command, unless [net] has others.
func (p *Project) nvsCredentials(get func(Secret) (string, error)) error {
	for _, c := range []struct {
		to   *config.Value[string]
		rank func(string) int
		name string
	}{{&p.Espalier.Net.SSID, ssidRank, "ssid"}, {&p.Espalier.Net.Passphrase, passphraseRank, "passphrase"}} {
		v, ok := p.Espalier.NVS.credential(c.rank)
		if !ok || v.Secret == "" || p.Espalier.Secret(v.Secret).Env != "" || p.netGiven[c.name] {
			continue
		}
		value, err := get(p.Espalier.Secret(v.Secret))
		if err != nil {
			return err
		}
		*c.to = config.NewValue(value, v.Origin)
	}
	return nil
}

// secretCredentials gives the emulated access point the credentials that are
// secrets, unless they are configured elsewhere.
func (p *Project) secretCredentials() {
	take := func(to *config.Value[string], rank func(string) int) {
		if to.IsSet() {
			return
		}
		if r := credential(p.Cargo.Env, p.Espalier.Build.Env, rank); len(r) > 0 {
			*to = config.NewValue(r[0].words[0], r[0].origin)
		}
	}
	take(&p.Espalier.Net.SSID, ssidRank)
	take(&p.Espalier.Net.Passphrase, passphraseRank)
}

// UseStandIns replaces every secret of the build by its stand-in, so that the
// build has no secrets: it can be stored, shared and compared. It returns the names
// of the variables, sorted.
func (p *Project) UseStandIns() (names []string) {
	for i := range p.Espalier.Build.Env {
		v := &p.Espalier.Build.Env[i]
		if !v.Secret {
			continue
		}
		v.Value, v.Set, v.Secret = p.Espalier.Secret(v.From).StandIn, true, false
		names = append(names, v.Name)
	}
	slices.Sort(names)
	return names
}

// privateFiles are files of the project that may hold secrets and are not part of
// the input tree. True are those of [nvs], which sources may name all the same.
func (c Config) privateFiles() map[string]bool {
	out := map[string]bool{}
	if c.NVS.Devices != "" {
		out[c.NVS.Devices] = true
	}
	for _, v := range c.NVS.Values {
		if v.File != "" {
			out[v.File] = true
		}
	}
	for _, s := range c.Secrets {
		if s.File != "" {
			out[s.File] = false
		}
	}
	return out
}

// CheckSecret is a fault of kind Usage when a value cannot be used.
func CheckSecret(s Secret, value string) error {
	switch {
	case value == "":
		return secretFault(s, errors.New("it is empty"))
	case strings.ContainsRune(value, 0):
		return secretFault(s, errors.New("it has a NUL byte"))
	}
	return nil
}

func secretFault(s Secret, err error) error {
	where := "secret " + s.Name
	if !s.Origin.IsZero() {
		where = s.Origin.String() + ": " + where
	}
	return fault.Wrap(fault.Usage, err, where)
}
