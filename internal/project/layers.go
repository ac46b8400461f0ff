package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// layers resolves settings: the first layer that has one decides, the others
// are remembered as hidden.
type layers struct {
	l      *config.Reader
	lookup func(string) (string, bool)
	own    *tomldoc.Node // espalier.toml; nil when there is none
	user   *tomldoc.Node
	out    []Setting
	err    error
}

// raw is a setting before it has a type: a scalar has one word.
type raw struct {
	words  []string
	origin config.Origin
	node   *tomldoc.Node // for errors with a place
	hidden bool          // a secret: never shown
}

// hiddenValue is shown in place of a password.
const hiddenValue = "(secret)"

// spec describes one setting.
type spec struct {
	name    string   // "build.profile": table and key
	env     string   // variable; empty when there is none
	flag    string   // flag without dashes, for the origin
	given   []string // from the command line; nil when not given
	foreign []raw    // what other tools' files say, most important first
	def     string   // "" none
	list    bool
	hidden  bool              // a configured value is never shown
	kind    tomldoc.Kind      // in TOML
	renamed map[string]string // values of former versions and their present names
}

func (x *layers) fail(err error) {
	if x.err == nil {
		x.err = err
	}
}

// resolve walks the layers of one setting.
func (x *layers) resolve(s spec) raw {
	var found []raw
	if s.given != nil {
		found = append(found, raw{words: s.given, origin: config.Origin{File: "flag --" + s.flag}})
	}
	if s.env != "" {
		if v, ok := x.lookup(s.env); ok && v != "" {
			words := []string{v}
			if s.list {
				words = splitList(v)
			}
			found = append(found, raw{words: words, origin: config.Origin{File: "environment " + s.env}})
		}
	}
	table, key, _ := strings.Cut(s.name, ".")
	if r, ok := x.fromTOML(x.own.Get(table, key), s); ok {
		found = append(found, r)
	}
	found = append(found, s.foreign...)
	if r, ok := x.fromTOML(x.user.Get(table, key), s); ok {
		found = append(found, r)
	}
	out := raw{}
	if s.def != "" {
		out = raw{words: []string{s.def}, origin: config.Default()}
	}
	set := Setting{Name: s.name, Env: s.env}
	if len(found) > 0 {
		out = found[0]
		for _, f := range found[1:] {
			set.Hidden = append(set.Hidden, f.origin)
		}
	}
	set.Value, set.Origin = strings.Join(out.words, ", "), out.origin
	if out.hidden || s.hidden && out.origin != config.Default() && len(out.words) > 0 {
		set.Value = hiddenValue
	}
	if set.Origin.IsZero() {
		set.Origin = config.Default()
	}
	x.out = append(x.out, set)
	return out
}

// splitList splits a variable that holds a list: at line ends when there are
// any, else at commas.
func splitList(v string) []string {
	sep := ","
	if strings.Contains(v, "\n") {
		sep = "\n"
	}
	var out []string
	for _, w := range strings.Split(v, sep) {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

func (x *layers) fromTOML(n *tomldoc.Node, s spec) (raw, bool) {
	if n == nil || x.err != nil {
		return raw{}, false
	}
	r := raw{origin: config.At(n.File(), n.Pos), node: n}
	switch {
	case s.list && n.Kind == tomldoc.String:
		r.words = []string{n.Text}
	case s.list && n.Kind == tomldoc.Array:
		r.words = []string{}
		for i, e := range n.Elem {
			if e.Kind != tomldoc.String {
				x.fail(e.Errorf("%s[%d]: want a string, found %s", s.name, i, e.Kind))
				return raw{}, false
			}
			r.words = append(r.words, e.Text)
		}
	case n.Kind != s.kind || s.list:
		want := s.kind.String()
		if s.list {
			want = "a string or a list of strings"
		}
		x.fail(n.Errorf("%s: want %s, found %s", s.name, want, n.Kind))
		return raw{}, false
	case n.Kind == tomldoc.Bool:
		r.words = []string{strconv.FormatBool(n.Bool)}
	case n.Kind == tomldoc.Integer:
		r.words = []string{strconv.FormatInt(n.Int, 10)}
	default:
		r.words = []string{n.Text}
	}
	return r, true
}

// bad is an error about a value, with its place when it has one.
func (x *layers) bad(s spec, r raw, format string, args ...any) {
	msg := s.name + ": " + fmt.Sprintf(format, args...)
	if r.node != nil {
		x.fail(r.node.Errorf("%s", msg))
		return
	}
	x.fail(errors.New(x.l.Place(r.origin) + ": " + msg))
}

func (x *layers) str(s spec) config.Value[string] {
	s.kind = tomldoc.String
	r := x.resolve(s)
	if len(r.words) == 0 {
		return config.Value[string]{}
	}
	return config.NewValue(r.words[0], r.origin)
}

// oneOf is a string out of a few, compared without case and returned as listed.
func (x *layers) oneOf(s spec, allowed ...string) config.Value[string] {
	s.kind = tomldoc.String
	r := x.resolve(s)
	if len(r.words) == 0 {
		return config.Value[string]{}
	}
	for _, a := range allowed {
		if strings.EqualFold(a, r.words[0]) {
			return config.NewValue(a, r.origin)
		}
	}
	if now, ok := s.renamed[r.words[0]]; ok {
		x.bad(s, r, "%q is now called %q", r.words[0], now)
		return config.Value[string]{}
	}
	x.bad(s, r, "%q is not one of %s", r.words[0], strings.Join(allowed, ", "))
	return config.Value[string]{}
}

func (x *layers) list(s spec) config.Value[[]string] {
	s.list = true
	r := x.resolve(s)
	if r.words == nil {
		return config.Value[[]string]{}
	}
	return config.NewValue(r.words, r.origin)
}

func (x *layers) boolean(s spec) config.Value[bool] {
	s.kind, s.def = tomldoc.Bool, "false"
	r := x.resolve(s)
	v, err := strconv.ParseBool(r.words[0])
	if err != nil {
		x.bad(s, r, "%q is neither true nor false", r.words[0])
	}
	return config.NewValue(v, r.origin)
}

func (x *layers) duration(s spec) config.Value[time.Duration] {
	s.kind, s.def = tomldoc.String, "0s"
	r := x.resolve(s)
	d, err := time.ParseDuration(r.words[0])
	if err != nil || d < 0 {
		x.bad(s, r, "%q is not a duration, such as 30s", r.words[0])
	}
	return config.NewValue(d, r.origin)
}

func (x *layers) integer(s spec, low, high int64) config.Value[int64] {
	s.kind = tomldoc.Integer
	if s.def == "" {
		s.def = "0"
	}
	r := x.resolve(s)
	n, err := strconv.ParseInt(strings.ReplaceAll(r.words[0], "_", ""), 0, 64)
	if err != nil || n < low || n > high {
		x.bad(s, r, "%q is not a number from %d to %d", r.words[0], low, high)
	}
	return config.NewValue(n, r.origin)
}

// file is a path of the project: relative to the file or directory that names
// it, returned absolute. It must exist when it is not the default.
func (x *layers) file(s spec, flagBase string, root string) config.Value[string] {
	v := x.str(s)
	if v.V == "" || x.err != nil {
		return v
	}
	base := flagBase
	if filepath.IsAbs(v.Origin.File) {
		base = filepath.Dir(v.Origin.File)
	}
	abs := config.Join(base, v.V)
	node := raw{origin: v.Origin}
	if _, err := os.Stat(abs); errors.Is(err, fs.ErrNotExist) {
		x.bad(s, node, "%s: no such file", x.l.Show(abs))
	} else if !config.Within(abs, root) {
		x.bad(s, node, "%s is outside the project; copy it into the project", filepath.ToSlash(abs))
	}
	v.V = abs
	return v
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readLayers reads and checks espalier's own two files. w may be nil.
func readLayers(r *config.Reader, w *cargo.Workspace, opts Options) (*layers, error) {
	x := &layers{l: r, lookup: opts.Lookup}
	if x.lookup == nil {
		x.lookup = func(string) (string, bool) { return "", false }
	}
	var err error
	if w != nil {
		if x.own, err = r.TOML(filepath.Join(w.Dir, FileName)); err != nil {
			return nil, err
		}
	}
	if opts.UserFile != "" {
		if x.user, err = r.TOML(opts.UserFile); err != nil {
			return nil, err
		}
	}
	if err := checkEspalier(x.own, false); err != nil {
		return nil, r.Fault(err)
	}
	if err := checkEspalier(x.user, true); err != nil {
		return nil, r.Fault(err)
	}
	return x, nil
}
