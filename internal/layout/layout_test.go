package layout

import (
	"strings"
	"testing"
)

func TestInside(t *testing.T) {
	for _, c := range []struct{ root, dir, want string }{
		{"/home/me", "/home/me", "/src"},
		{"/home/me", "/home/me/ws/fw", "/src/ws/fw"},
		{"/home/me", "/home/me/..fw", "/src/..fw"},
	} {
		if got := Inside(c.root, c.dir); got != c.want {
			t.Errorf("Inside(%q, %q) = %q, want %q", c.root, c.dir, got, c.want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a directory outside the root has a place")
		}
	}()
	Inside("/home/me", "/home/you")
}

// The named paths and the table of mounts are the same layout.
func TestPlaces(t *testing.T) {
	at := map[string]string{}
	for _, p := range Places() {
		at[p.Input] = "/" + p.At
	}
	for input, want := range map[string]string{
		InputSrc: Src, InputCargo: CargoHome, InputVendor: Vendor, InputGit: Checkouts, InputTarget: Target, "": Out,
	} {
		if at[input] != want {
			t.Errorf("input %q is mounted at %q, the constant says %q", input, at[input], want)
		}
	}
	// Only below CARGO_HOME does cargo skip the comparison of times.
	for _, dir := range []string{Vendor, Checkouts, Config} {
		if !strings.HasPrefix(dir, CargoHome+"/") {
			t.Errorf("%s is not below %s", dir, CargoHome)
		}
	}
}
