package suggest

import "testing"

func TestNearest(t *testing.T) {
	verbs := []string{"build", "check", "clippy", "run", "test", "erase", "release", "dev", "profile", "port"}
	for word, want := range map[string]string{
		"relase": "release", "biuld": "build", "chekc": "check", "prt": "port", "RUN": "run", "Dev": "dev",
		"pro-file": "profile", "xyz": "", "": "", "build": "", "frobnicate": "", "tset": "test", "ärase": "erase",
	} {
		if got := Nearest(word, verbs); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if got := Nearest("my_bin", []string{"my-bon", "my-bin"}); got != "my-bin" {
		t.Errorf("a dash for an underscore: %q", got)
	}
	if got := Nearest("abd", []string{"abe", "abc"}); got != "abe" {
		t.Errorf("the first of two: %q", got)
	}
}
