package project

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"espalier.dev/espalier/internal/project/tomldoc"
)

// ToolchainRequest is what rust-toolchain(.toml) asks for. The zero request
// with channel "stable" stands for no file.
type ToolchainRequest struct {
	Channel    Value[string] // as written: "stable", "1.97.1", "nightly-2025-01-01"; "stable" by default
	Components []string
	Targets    []string
	Profile    string // "minimal", "default", "complete"; empty when not asked
	Path       string // toolchain directory, `path = …`; excludes Channel
	File       string // the file that decided; empty when there is none
}

// toolchain finds the file as rustup does: in every directory from member
// upwards the first of rust-toolchain and rust-toolchain.toml. Files above
// root are named in a note and do not decide.
func (l *loader) toolchain(member, root string) (ToolchainRequest, error) {
	none := ToolchainRequest{Channel: Value[string]{"stable", byDefault}}
	for _, d := range parents(member) {
		legacy, modern := filepath.Join(d, "rust-toolchain"), filepath.Join(d, "rust-toolchain.toml")
		path := legacy
		switch {
		case isFile(legacy) && isFile(modern):
			l.note(Origin{File: legacy}, "both rust-toolchain and rust-toolchain.toml exist; the former decides, as with rustup")
		case isFile(legacy):
		case isFile(modern):
			path = modern
		default:
			continue
		}
		if !within(d, root) {
			l.note(Origin{File: path}, "outside the project and not applied; copy it beside Cargo.toml if the build needs it")
			return none, nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return none, failf(nil, "reading %s: %w", l.show(path), pathless(err))
		}
		req, err := parseToolchain(path, b)
		if err != nil {
			return none, l.fault(err, "echo '[toolchain]' > rust-toolchain.toml && echo 'channel = \"stable\"' >> rust-toolchain.toml")
		}
		return req, nil
	}
	return none, nil
}

// parseToolchain reads either form: rust-toolchain with a single line is a
// channel, everything else is TOML with a [toolchain] table that has at least
// one key.
func parseToolchain(path string, b []byte) (ToolchainRequest, error) {
	t := ToolchainRequest{File: path}
	text := string(bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
	if filepath.Base(path) == "rust-toolchain" && !strings.ContainsAny(text, "\n") && !strings.HasPrefix(text, "[") && !strings.Contains(text, "=") {
		if text == "" {
			return t, &tomldoc.Error{File: path, Msg: "empty; want a channel such as \"stable\" or a [toolchain] table"}
		}
		if strings.ContainsAny(text, " \t\"'") {
			return t, &tomldoc.Error{File: path, Pos: tomldoc.Pos{Line: 1, Col: 1}, Msg: "channel " + quoted(text) + ": want one word", Source: text}
		}
		t.Channel = Value[string]{text, Origin{path, 1, 1}}
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
	t.Channel = Value[string]{"stable", byDefault}
	switch c := tc.Get("channel"); {
	case r.Err() != nil:
	case c != nil && t.Path != "":
		r.Fail(tc.Get("path").Errorf("channel and path exclude each other"))
	case c != nil && strings.TrimSpace(ch) == "":
		r.Fail(c.Errorf("channel is empty"))
	case c != nil:
		t.Channel = Value[string]{ch, at(path, c.Pos)}
	case t.Path != "":
		t.Channel = Value[string]{}
		if len(t.Components)+len(t.Targets) > 0 || t.Profile != "" {
			r.Fail(tc.Get("path").Errorf("path excludes components, targets and profile"))
		}
	}
	return t, r.Err()
}
