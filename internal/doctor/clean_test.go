package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

func TestAge(t *testing.T) {
	for _, tc := range []struct {
		text string
		want time.Duration // -1: an error
		show string
	}{
		{"30d", 30 * 24 * time.Hour, "30d"},
		{"12h", 12 * time.Hour, "12h0m0s"},
		{"48h", 48 * time.Hour, "2d"},
		{"0s", 0, "0s"},
		{"0d", 0, "0s"},
		{"-1d", -1, ""},
		{"-1s", -1, ""},
		{"d", -1, ""},
		{"70000d", -1, ""},
		{"1.5d", -1, ""},
		{"30", -1, ""},
		{"", -1, ""},
	} {
		a := Age(7)
		err := a.Set(tc.text)
		if tc.want < 0 {
			if err == nil || a != 7 || !strings.Contains(err.Error(), "is not a duration, such as 30d or 12h") {
				t.Errorf("%q: %v, %v", tc.text, a, err)
			}
			continue
		}
		if err != nil || time.Duration(a) != tc.want || a.String() != tc.show {
			t.Errorf("%q: %v (%s), %v; want %v (%s)", tc.text, time.Duration(a), a.String(), err, tc.want, tc.show)
		}
	}
}

// Clean counts what it would remove, removes it, and says what stays and why.
func TestClean(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := st.PutBytes(t.Context(), make([]byte, 300<<10))
	if err != nil {
		t.Fatal(err)
	}
	st.Close()
	c := project.Config{Store: config.Value[string]{V: dir}, StoreLimit: config.Value[int64]{V: 1 << 30}}
	there := func() bool {
		_, err := os.Stat(filepath.Join(dir, "blobs", "sha256", d.Hash))
		return err == nil
	}
	const hour = time.Hour

	kept, err := Clean(t.Context(), c, store.Policy{MaxAge: 48 * hour})
	if err != nil || kept.Blobs != 0 || kept.Freed != 0 || !there() {
		t.Errorf("what was just used: %+v, %v", kept, err)
	}
	table := kept.Table()
	if len(table.Rows) != 1 || table.Rows[0][1] != "1" || table.Rows[0][3] != "used within 2 days" {
		t.Errorf("%q", table.Rows)
	}
	if l := kept.Lines(); len(l) != 2 || !strings.HasPrefix(l[0], "freed ") || !strings.Contains(l[1], "of at most 1.0 GiB") {
		t.Errorf("%q", l)
	}

	dry, err := Clean(t.Context(), c, store.Policy{DryRun: true})
	if err != nil || dry.Blobs != 1 || dry.Freed < 300<<10 || !dry.DryRun || !there() {
		t.Errorf("dry run: %+v, %v", dry, err)
	}
	if l := dry.Lines(); !strings.HasPrefix(l[0], "would free 300.0 KiB: 1 blobs, 0 trees") {
		t.Errorf("%q", l)
	}

	c.StoreLimit.V = 0
	freed, err := Clean(t.Context(), c, store.Policy{})
	if err != nil || freed.Blobs != 1 || freed.Freed != dry.Freed || there() {
		t.Errorf("%+v, %v", freed, err)
	}
	if l := freed.Lines(); !strings.HasSuffix(l[1], ", without a limit") || len(freed.Table().Rows) != 0 {
		t.Errorf("%q %q", l, freed.Table().Rows)
	}
}

// The limit of the configuration applies to what was used a moment ago, too.
func TestCleanToLimit(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		b := make([]byte, 100<<10)
		b[0] = byte(i)
		d, err := st.PutBytes(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		used := time.Now().Add(time.Duration(i-9) * time.Minute) // what was used at one time goes together
		if err := os.Chtimes(filepath.Join(dir, "blobs", "sha256", d.Hash), used, used); err != nil {
			t.Fatal(err)
		}
	}
	st.Close()
	c := project.Config{Store: config.Value[string]{V: dir}, StoreLimit: config.Value[int64]{V: 250 << 10}}
	r, err := Clean(t.Context(), c, store.Policy{MaxAge: time.Hour})
	if err != nil || r.Blobs != 2 || r.Limit != 250<<10 {
		t.Errorf("%+v, %v", r, err)
	}
}
