package build

import (
	"strings"
	"testing"

	"espalier.dev/espalier/internal/store"
)

// TestHasProgram looks for linkers in a rootfs as espalier makes them: Debian's
// programs, rustup's own directory, links.
func TestHasProgram(t *testing.T) {
	ctx := t.Context()
	st, err := store.Open(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tree := func(files []string, links map[string]string) store.Digest {
		d, err := st.MakeTree(ctx, func(b *store.TreeBuilder) error {
			s := b.Source("test")
			for _, f := range files {
				if _, err := s.File(ctx, f, true, strings.NewReader(f)); err != nil {
					return err
				}
			}
			for name, target := range links {
				if err := s.Symlink(name, target); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	rootfs := tree([]string{"usr/bin/lld-19", "usr/bin/gcc", sysrootTools + "/rust-lld"},
		map[string]string{"bin": "usr/bin", "usr/bin/cc": "gcc", "usr/bin/gone": "../lib/gone", "usr/bin/turns": "turns", "usr/bin/out": "../../../x"})
	src := tree([]string{"tools/ld.sh"}, map[string]string{"t": "tools"})
	for name, want := range map[string]bool{
		"rust-lld": true, "cc": true, "gcc": true, "/bin/gcc": true, "/usr/bin/../bin/gcc": true,
		"./tools/ld.sh": true, "./t/ld.sh": true,
		"riscv32-elf-ld": false, "gone": false, "turns": false, "out": false, "/opt/ld": false, "./tools/other": false, "./usr/bin/gcc": false,
		"/": true, "/usr/bin/gcc/x": false,
	} {
		if got, err := hasProgram(ctx, st, name, rootfs, src); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	if got, err := hasProgram(ctx, st, "rust-lld", store.DigestOf([]byte("elsewhere")), src); err != nil || !got {
		t.Errorf("in a tree that is not in the store: %v, %v", got, err)
	}
}
