package cargo

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/tomldoc"
)

// Toolchain is what rust-toolchain(.toml) asks for. The zero request
// with channel "stable" means that there is no file.
type Toolchain struct {
	Channel    config.Value[string] // as written: "stable", "1.97.1", "nightly-2025-01-01"; "stable" by default
	Components []string
	Targets    []string
	Profile    string // "minimal", "default", "complete"; empty when not asked
	Path       string // toolchain directory, `path = …`; excludes Channel
	File       string // the file that decided; empty when there is none
}

// ReadToolchain finds the file as rustup does: in every directory from dir
// upwards the first of rust-toolchain and rust-toolchain.toml. A file above
// top, the repository or the project, is named in a note and does not decide:
// another clone does not have it.
func ReadToolchain(l *config.Reader, dir, top string) (Toolchain, error) {
	none := Toolchain{Channel: config.NewValue("stable", config.Default())}
	for _, d := range config.Parents(dir) {
		legacy, modern := filepath.Join(d, "rust-toolchain"), filepath.Join(d, "rust-toolchain.toml")
		path := legacy
		switch {
		case config.IsFile(legacy) && config.IsFile(modern):
			l.Note(config.Origin{File: legacy}, "both rust-toolchain and rust-toolchain.toml exist; the former decides, as with rustup")
		case config.IsFile(legacy):
		case config.IsFile(modern):
			path = modern
		default:
			continue
		}
		if !config.Within(d, top) {
			l.Note(config.Origin{File: path}, "outside the project and not applied; copy it beside Cargo.toml if the build needs it")
			return none, nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return none, config.Failf(nil, "reading %s: %w", l.Show(path), config.Pathless(err))
		}
		req, err := parseToolchain(path, b)
		if err != nil {
			return none, l.Fault(err, "echo '[toolchain]' > rust-toolchain.toml && echo 'channel = \"stable\"' >> rust-toolchain.toml")
		}
		return req, nil
	}
	return none, nil
}

// parseToolchain reads either form: rust-toolchain with a single line is a
// channel, everything else is TOML with a [toolchain] table that has at least
// one key.
func parseToolchain(path string, b []byte) (Toolchain, error) {
	t := Toolchain{File: path}
	text := string(bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
	if filepath.Base(path) == "rust-toolchain" && !strings.ContainsAny(text, "\n") && !strings.HasPrefix(text, "[") && !strings.Contains(text, "=") {
		if text == "" {
			return t, &tomldoc.Error{File: path, Msg: "empty; want a channel such as \"stable\" or a [toolchain] table"}
		}
		if strings.ContainsAny(text, " \t\"'") {
			return t, &tomldoc.Error{File: path, Pos: tomldoc.Pos{Line: 1, Col: 1}, Msg: "channel " + quoted(text) + ": want one word", Source: text}
		}
		t.Channel = config.NewValue(text, config.Origin{File: path, Line: 1, Col: 1})
		return t, nil
	}
	n, err := tomldoc.Parse(path, b)
	if err != nil {
		return t, err
	}
	r := &tomldoc.Reader{}
	r.Known(n, "", "toolchain")
	tc := r.Table(n, "toolchain")
	if r.Err() == nil && (tc == nil || len(tc.Keys) == 0) {
		r.Fail(n.ErrorAt(tomldoc.Pos{Line: 1, Col: 1}, "[toolchain] has none of channel, path, components, targets, profile"))
	}
	r.Known(tc, "toolchain", "channel", "path", "components", "targets", "profile")
	t.Components, t.Targets = r.Strings(tc, "components"), r.Strings(tc, "targets")
	t.Profile, t.Path = r.String(tc, "profile"), r.String(tc, "path")
	if p := tc.Get("profile"); r.Err() == nil && p != nil && t.Profile != "minimal" && t.Profile != "default" && t.Profile != "complete" {
		r.Fail(p.Errorf("profile %q: want minimal, default or complete", t.Profile))
	}
	ch := r.String(tc, "channel")
	t.Channel = config.NewValue("stable", config.Default())
	switch c := tc.Get("channel"); {
	case r.Err() != nil:
	case c != nil && t.Path != "":
		r.Fail(tc.Get("path").Errorf("channel and path exclude each other"))
	case c != nil && strings.TrimSpace(ch) == "":
		r.Fail(c.Errorf("channel is empty"))
	case c != nil:
		t.Channel = config.NewValue(ch, config.At(path, c.Pos))
	case t.Path != "":
		t.Channel = config.Value[string]{}
		if len(t.Components)+len(t.Targets) > 0 || t.Profile != "" {
			r.Fail(tc.Get("path").Errorf("path excludes components, targets and profile"))
		}
	}
	return t, r.Err()
}
