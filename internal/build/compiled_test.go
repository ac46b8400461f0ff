package build

import (
	"io/fs"
	"reflect"
	"testing"
)

// The units of a package are one entry: what is compiled for the chip and what for the
// machine that builds are told apart.
func TestCompiled(t *testing.T) {
	g, err := parseUnitGraph([]byte(`{"version":1,"roots":[0],"units":[
		{"pkg_id":"path+file:///src#app@1.0.0","target":{"kind":["bin"],"name":"my-app","src_path":"/src/src/main.rs"},"platform":"riscv32imc-unknown-none-elf","mode":"build","features":["wifi"],"dependencies":[{"index":1,"extern_crate_name":"hal"},{"index":3,"extern_crate_name":"m"}]},
		{"pkg_id":"registry+x#hal@0.2.0","target":{"kind":["lib"],"name":"hal","src_path":"/cargo/registry/src/v/hal-0.2.0/src/lib.rs"},"platform":"riscv32imc-unknown-none-elf","mode":"build","features":["rt"],"dependencies":[{"index":2}]},
		{"pkg_id":"registry+x#hal@0.2.0","target":{"kind":["custom-build"],"name":"build-script-build","src_path":"/cargo/registry/src/v/hal-0.2.0/build.rs"},"platform":"riscv32imc-unknown-none-elf","mode":"run-custom-build","features":["rt"],"dependencies":[{"index":4}]},
		{"pkg_id":"registry+x#m@0.3.0","target":{"kind":["proc-macro"],"name":"m","src_path":"/cargo/registry/src/v/m-0.3.0/src/lib.rs"},"mode":"build","features":["full"],"dependencies":[]},
		{"pkg_id":"registry+x#hal@0.2.0","target":{"kind":["custom-build"],"name":"build-script-build","src_path":"/cargo/registry/src/v/hal-0.2.0/build.rs"},"mode":"build","features":["rt"],"dependencies":[{"index":5}]},
		{"pkg_id":"registry+x#cc@1.0.0","target":{"kind":["lib"],"name":"cc","src_path":"/cargo/registry/src/v/cc-1.0.0/src/lib.rs"},"mode":"build","features":[],"dependencies":[]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got, roots := compiled(g)
	want := []Compiled{
		{ID: "path+file:///src#app@1.0.0", Name: "app", Version: "1.0.0", Source: "path+file:///src", Units: []string{"my_app"}, Crates: []string{"my_app"}, Features: []string{"wifi"},
			Depends: []string{"registry+x#hal@0.2.0", "registry+x#m@0.3.0"}},
		{ID: "registry+x#cc@1.0.0", Name: "cc", Version: "1.0.0", Source: "registry+x", Units: []string{"cc"}, Features: []string{}},
		{ID: "registry+x#hal@0.2.0", Name: "hal", Version: "0.2.0", Source: "registry+x", Script: "/cargo/registry/src/v/hal-0.2.0/build.rs", Units: []string{"hal"}, Crates: []string{"hal"},
			Features: []string{"rt"}, Depends: []string{"registry+x#cc@1.0.0"}},
		{ID: "registry+x#m@0.3.0", Name: "m", Version: "0.3.0", Source: "registry+x", Macro: "/cargo/registry/src/v/m-0.3.0/src/lib.rs", Units: []string{"m"}, Features: []string{"full"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if roots["registry+x#m@0.3.0"] != "/cargo/registry/src/v/m-0.3.0/src/lib.rs" {
		t.Errorf("sources %q", roots)
	}
}

// The trace of a build has generated files, compiled crates and what rustc says that
// they depend on, and nothing that is large or differs by itself.
func TestInTrace(t *testing.T) {
	for name, want := range map[string]bool{
		"riscv/release/build/cfg-0123/out/generated.rs": true, "riscv/release/build/cfg-0123/output": false, "riscv/release/build/cfg-0123/build-script-build": false,
		"riscv/release/deps/libhal-0123.rlib": true, "riscv/release/deps/libhal-0123.rmeta": true, "release/deps/libm-0123.so": true,
		"riscv/release/deps/hal-0123.d": true, "riscv/release/hal.d": false, "riscv/release/app": false,
	} {
		if got := inTrace(name, fileInfo{}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	for name, want := range map[string]bool{"riscv/release/deps/": true, "riscv/release/incremental/": false, "riscv/release/.fingerprint/": false, "riscv/release/build/cfg-0123/out/": true} {
		if got := inTrace(name, fileInfo{dir: true}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// fileInfo is a file or a directory without anything else.
type fileInfo struct {
	fs.FileInfo
	dir bool
}

func (f fileInfo) IsDir() bool { return f.dir }
func (f fileInfo) Mode() fs.FileMode {
	if f.dir {
		return fs.ModeDir
	}
	return 0
}
