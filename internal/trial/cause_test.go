package trial

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/store"
	"espalier.dev/espalier/internal/updating"
)

// broken is a side whose compiler, or linker, failed. Each message is
// "package-id | code | text | place".
func broken(log string, messages ...string) *Side {
	s := &Side{Stage: StageBuild, Error: "compiling app failed: 1 error", file: &lock.File{}}
	fmt.Fprintln(&s.log, log)
	for _, m := range messages {
		f := strings.Split(m, " | ")
		file, line, _ := strings.Cut(f[3], ":")
		s.line([]byte(fmt.Sprintf(`{"reason":"compiler-message","package_id":%q,"message":{"level":"error","message":%q,"code":{"code":%q},
			"spans":[{"file_name":%q,"line_start":%s,"is_primary":true,"text":[{"text":"    source of the line"}]}],"children":[]}}`, f[0], f[2], f[1], file, line)))
		fmt.Fprintf(&s.log, "error[%s]: %s\n", f[1], f[2])
	}
	return s
}

// TestUpdateBlockers: what stopped updates of a firmware of 2023, by the facts of
// each failure: the cause has the crate with its versions, and a rule with a cure.
func TestUpdateBlockers(t *testing.T) {
	moves := []updating.Move{
		{Kind: updating.KindCrate, Name: "portable-atomic", From: "1.4.3", To: "1.6.0"},
		{Kind: updating.KindCrate, Name: "log", From: "0.4.17", To: "0.4.20"},
		{Kind: updating.KindCrate, Name: "esp-wifi", From: "0.1.0", To: "0.2.0", Direct: true},
	}
	for _, c := range []struct {
		name        string
		side        *Side
		crate, rule string
		text        string
	}{
		{ // the platform's packages set a C compiler as the linker
			"linker", broken("error: linking with `gcc` failed: exit status: 1\n  = note: gcc: error: unrecognized command-line option '-flavor'\n" +
				"          gcc: error: unrecognized command-line option '--gc-sections'"),
			"", "linker-flavour", "",
		},
		{ // toolchain 1.75.0: the library's atomics are those of the target again
			"toolchain", broken("", "registry+https://example.invalid/index#log@0.4.20 | E0432 | unresolved import `std::sync::atomic::AtomicUsize` | /cargo/registry/src/v/log-0.4.20/src/lib.rs:352"),
			"log 0.4.17 -> 0.4.20", "no-atomics", "log 0.4.20 does not compile: unresolved import `std::sync::atomic::AtomicUsize` (lib.rs:352)",
		},
		{ // esp-wifi 0.2.0: a newer portable-atomic, and flags for one that had none
			"esp-wifi", broken("", "portable-atomic 1.6.0 (registry+https://example.invalid/index) | - | cfg(portable_atomic_unsafe_assume_single_core) does not compatible with this target; | /cargo/registry/src/v/portable-atomic-1.6.0/src/lib.rs:362"),
			"portable-atomic 1.4.3 -> 1.6.0", "portable-atomic-twice", "",
		},
	} {
		got := FindCause(context.Background(), (*store.Store)(nil), c.side, moves, nil)
		crate := ""
		if got.Crate != nil {
			crate = got.Crate.String()
		}
		if crate != c.crate || got.Rule != c.rule || got.Cure == "" || c.text != "" && got.Text != c.text {
			t.Errorf("%s: crate %q, rule %q, text %q, cure %q", c.name, crate, got.Rule, got.Text, got.Cure)
		}
	}
}

// TestResponsible: of an error in the project's own code, the crate that moved
// is found by a file, by a path, or by the line; one that did not move never.
func TestResponsible(t *testing.T) {
	moves := []updating.Move{
		{Kind: updating.KindCrate, Name: "esp-hal", From: "0.23.1", To: "1.2.2", Direct: true},
		{Kind: updating.KindCrate, Name: "esp-hal-procmacros", From: "0.16.0", To: "0.23.0"},
		{Kind: updating.KindCrate, Name: "smoltcp", To: "0.12.0"},
	}
	own := "path+file:///src#app@0.1.0"
	for _, c := range []struct{ name, line, want string }{
		{"by a file", `{"package_id":"` + own + `","message":{"level":"error","message":"this function takes 3 arguments","spans":[{"file_name":"src/main.rs","line_start":7,"is_primary":true,"label":"argument #3 is missing","text":[{"text":"  Output::new(a, b)"}]}],
			"children":[{"level":"note","message":"associated function defined here","spans":[{"file_name":"/cargo/registry/src/v/esp-hal-1.2.2/src/gpio/mod.rs","line_start":3}]},{"level":"help","message":"provide the argument","spans":[{"file_name":"src/main.rs","line_start":7,"suggested_replacement":"(a, b, /* value */)"}]}]}}`, "esp-hal 0.23.1 -> 1.2.2"},
		{"by a path", `{"package_id":"` + own + "\",\"message\":{\"level\":\"error\",\"message\":\"cannot find function `now` in module `esp_hal::time`\",\"spans\":[{\"file_name\":\"src/main.rs\",\"line_start\":7,\"is_primary\":true}]}}", "esp-hal 0.23.1 -> 1.2.2"},
		{"by the line", `{"package_id":"` + own + `","message":{"level":"error","message":"unresolved","spans":[{"file_name":"src/main.rs","line_start":7,"is_primary":true,"text":[{"text":"use esp_hal_procmacros::main;"}]}]}}`, "esp-hal-procmacros 0.16.0 -> 0.23.0"},
		{"not moved", `{"package_id":"` + own + "\",\"message\":{\"level\":\"error\",\"message\":\"no `heapless` and no `smoltcp`\",\"spans\":[{\"file_name\":\"src/main.rs\",\"line_start\":7,\"is_primary\":true}]}}", ""},
		{"a macro's place", `{"package_id":"` + own + `","message":{"level":"error","message":"x","spans":[{"file_name":"/cargo/registry/src/v/esp-hal-1.2.2/src/macros.rs","line_start":99,"is_primary":true,"expansion":{"span":{"file_name":"src/main.rs","line_start":7,"is_primary":false}}}]}}`, "esp-hal 0.23.1 -> 1.2.2"},
	} {
		s := &Side{Stage: StageBuild, file: &lock.File{}}
		s.line([]byte(c.line))
		got := FindCause(context.Background(), nil, s, moves, nil)
		crate := ""
		if got.Crate != nil {
			crate = got.Crate.String()
		}
		if crate != c.want || len(got.Lines) != 1 || got.Lines[0].File != "src/main.rs" || got.Lines[0].Line != 7 {
			t.Errorf("%s: %q, lines %+v", c.name, crate, got.Lines)
		}
		if c.name == "by a file" && (got.Lines[0].Help != "provide the argument: (a, b, /* value */)" || got.Lines[0].Message != "this function takes 3 arguments: argument #3 is missing") {
			t.Errorf("%+v", got.Lines[0])
		}
	}
}
