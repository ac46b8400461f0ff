package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/session"
)

// What [run] says is checked with its line, unless a flag replaces it.
func TestConfigureSession(t *testing.T) {
	at := config.Origin{File: "espalier.toml", Line: 2, Col: 1}
	for _, tc := range []struct {
		name string
		run  project.RunConfig
		flag []string
		want string // "": accepted
	}{
		{"nothing", project.RunConfig{}, nil, ""},
		{"all", project.RunConfig{
			Expect:  config.Value[[]string]{V: []string{"x", "/y+/"}, Origin: at},
			Timeout: config.Value[time.Duration]{V: time.Second, Origin: at},
		}, nil, ""},
		{"expect", project.RunConfig{Expect: config.Value[[]string]{V: []string{"/(/"}, Origin: at}}, nil, "espalier.toml:2:1: reading the expression /(/"},
		{"fail", project.RunConfig{Fail: config.Value[[]string]{V: []string{"/[/"}, Origin: at}}, nil, "espalier.toml:2:1: reading"},
		{"expect replaced", project.RunConfig{Expect: config.Value[[]string]{V: []string{"/(/"}, Origin: at}}, []string{"--expect=x"}, ""},
		{"timeout", project.RunConfig{Timeout: config.Value[time.Duration]{Origin: at}}, nil, "espalier.toml:2:1: run.timeout: 0s is not longer than 0s"},
		{"for", project.RunConfig{For: config.Value[time.Duration]{V: -time.Second, Origin: at}}, nil, "espalier.toml:2:1: run.for: -1s is not longer than 0s"},
		{"timeout replaced", project.RunConfig{Timeout: config.Value[time.Duration]{Origin: at}}, []string{"--timeout=1s"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var o session.Options
			cmd := &cobra.Command{}
			addSessionFlags(cmd.Flags(), &o)
			if err := cmd.ParseFlags(tc.flag); err != nil {
				t.Fatal(err)
			}
			p := &project.Project{}
			p.Espalier.Run = tc.run
			err := configureSession(cmd, &o, p)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want) || fault.KindOf(err) != fault.Usage) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
