package build

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/store"
)

func TestOwnVariables(t *testing.T) {
	st, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	make := func(files map[string]string) store.Digest {
		d, err := st.MakeTree(t.Context(), func(b *store.TreeBuilder) error {
			for _, name := range slices.Sorted(maps.Keys(files)) {
				if _, err := b.Source("test").File(t.Context(), name, false, strings.NewReader(files[name])); err != nil {
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
	m := Materials{
		Vendor: make(map[string]string{
			"a-1.0.0/src/lib.rs":       `option_env!("USED"); const TEXT: &str = "an SSID";`,
			"a-1.0.0/examples/wifi.rs": `env!("SSID")`,
			"a-1.0.0/README.md":        `env!("PASSWORD")`,
		}),
		Git: make(map[string]string{"b/build.rs": `var("FROM_GIT")`}),
	}
	pins := &lock.File{Crates: []lock.Crate{{Name: "esp-hal"}, {Name: "defmt"}}, Git: []lock.Git{{Crates: []string{"esp-radio 0.1.0"}}}}
	want := map[string]bool{"SSID": true, "PASSWORD": true, "USED": false, "FROM_GIT": false}
	p := &project.Project{}
	for _, name := range []string{"SSID", "PASSWORD", "USED", "FROM_GIT", "ESP_HAL_CONFIG_X", "ESP_RADIO_Y", "DEFMT_LOG", "RUST_LOG",
		"CARGO_X", "DEP_FOO", "TZ", "SOURCE_DATE_EPOCH"} {
		p.Cargo.Env = append(p.Cargo.Env, cargo.EnvVar{Name: name})
	}
	for range 2 { // the second time from the store
		got, err := ownVariables(t.Context(), st, p, pins, m)
		if err != nil || !maps.Equal(got, want) {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	if got := without(map[string]string{"SSID": "a", "USED": "b"}, want); !maps.Equal(got, map[string]string{"USED": "b"}) {
		t.Errorf("without: %v", got)
	}
}
