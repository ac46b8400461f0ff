package fwtest

import (
	"os"
	"slices"
	"strings"
)

// libtestFlags are the arguments that cargo test and cargo nextest pass and a user
// of run does not.
var libtestFlags = []string{"--list", "--exact", "--nocapture", "--no-capture", "--ignored", "--include-ignored", "--show-output", "--test-threads", "--skip"}

// RunnerArgs turns the arguments "run FILE ARGS", the call of cargo's runner, into "test FILE --
// ARGS" when FILE is a program of embedded-test, or ARGS are those of cargo test.
func RunnerArgs(args []string) []string {
	verb := slices.IndexFunc(args, func(s string) bool { return !strings.HasPrefix(s, "-") })
	if verb < 0 || args[verb] != "run" {
		return args
	}
	for i := verb + 1; i < len(args); i++ {
		st, err := os.Stat(args[i])
		if strings.HasPrefix(args[i], "-") || err != nil || !st.Mode().IsRegular() {
			continue
		}
		rest := args[i+1:]
		b, err := os.ReadFile(args[i])
		if err != nil || !strings.HasPrefix(string(b[:min(4, len(b))]), "\x7fELF") {
			return args
		}
		forTests := slices.ContainsFunc(rest, func(s string) bool {
			name, _, _ := strings.Cut(s, "=")
			return slices.Contains(libtestFlags, name)
		})
		if !forTests && !IsTest(b) {
			return args
		}
		before := slices.DeleteFunc(slices.Clone(args[verb+1:i]), func(s string) bool { return s == "--" })
		out := append(slices.Clone(args[:verb]), "test")
		out = append(append(out, before...), args[i], "--")
		if len(rest) > 0 && rest[0] == "--" {
			rest = rest[1:]
		}
		return append(out, rest...)
	}
	return args
}
