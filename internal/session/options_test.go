package session

import (
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
)

// What [run] says is checked with its line, unless a flag replaces it.
func TestOptionsFromProject(t *testing.T) {
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
		{"expect replaced", project.RunConfig{Expect: config.Value[[]string]{V: []string{"/(/"}, Origin: at}}, []string{"expect"}, ""},
		{"timeout", project.RunConfig{Timeout: config.Value[time.Duration]{Origin: at}}, nil, "espalier.toml:2:1: run.timeout: 0s is not longer than 0s"},
		{"for", project.RunConfig{For: config.Value[time.Duration]{V: -time.Second, Origin: at}}, nil, "espalier.toml:2:1: run.for: -1s is not longer than 0s"},
		{"timeout replaced", project.RunConfig{Timeout: config.Value[time.Duration]{Origin: at}}, []string{"timeout"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := Options{Expect: []string{"x"}, Timeout: time.Second} // of the flags
			p := &project.Project{}
			p.Espalier.Run = tc.run
			err := o.FromProject(func(flag string) bool { return slices.Contains(tc.flag, flag) }, p)
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want) || fault.KindOf(err) != fault.Usage) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
