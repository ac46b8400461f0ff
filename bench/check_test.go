package bench

import "testing"

// check ends a benchmark that cannot go on.
func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
