package build

import (
	"maps"
	"testing"
)

func TestUnitGraph(t *testing.T) {
	g, err := parseUnitGraph([]byte(`{"version":1,"units":[
{"pkg_id":"registry+https://x#core@0.0.0","target":{"kind":["lib"],"name":"core","src_path":"/usr/c.rs","edition":"2024"},"platform":"riscv32imc-unknown-none-elf","mode":"build","features":[],"is_std":true,"dependencies":[]},
{"pkg_id":"path+file:///src#app@0.1.0","target":{"kind":["bin"],"name":"app","src_path":"/src/src/main.rs","edition":"2021"},"platform":null,"mode":"run-custom-build","features":["wifi"],"dependencies":[{"index":0,"extern_crate_name":"core"}]}],"roots":[1]}`))
	if err != nil || len(g.Units) != 2 || !g.Units[0].IsStd || g.Units[0].runsScript() || !g.Units[1].runsScript() || g.Units[1].Platform != "" || g.Units[1].Target.SrcPath != "/src/src/main.rs" {
		t.Errorf("%+v, %v", g, err)
	}
	for _, bad := range []string{"", "[]", `{"version":2}`, `{"version":1,"units":[{"dependencies":[{"index":1}]}]}`, `{"version":1,"units":[{"dependencies":[{"index":-1}]}]}`} {
		if _, err := parseUnitGraph([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

func TestHostNeeds(t *testing.T) {
	const graph = `{"version":1,"roots":[7],"units":[
{"pkg_id":"registry+https://x#syn@2.0.0","target":{"kind":["lib"],"name":"syn"},"platform":null,"mode":"build","dependencies":[{"index":1,"extern_crate_name":"proc_macro2"}]},
{"pkg_id":"registry+https://x#proc-macro2@1.0.0","target":{"kind":["lib"],"name":"proc-macro2"},"platform":null,"mode":"build","dependencies":[{"index":2,"extern_crate_name":"build_script_build"}]},
{"pkg_id":"registry+https://x#proc-macro2@1.0.0","target":{"kind":["custom-build"],"name":"build-script-build"},"platform":null,"mode":"run-custom-build","dependencies":[]},
{"pkg_id":"registry+https://x#their-macros@1.0.0","target":{"kind":["proc-macro"],"name":"their-macros"},"platform":null,"mode":"build","dependencies":[{"index":0,"extern_crate_name":"syn"}]},
{"pkg_id":"registry+https://x#json@1.0.0","target":{"kind":["lib"],"name":"json"},"platform":null,"mode":"build","dependencies":[{"index":3,"extern_crate_name":"their_macros"}]},
{"pkg_id":"path+file:///src/app#0.1.0","target":{"kind":["custom-build"],"name":"build-script-build"},"platform":null,"mode":"build","dependencies":[{"index":4,"extern_crate_name":"json"}]},
{"pkg_id":"path+file:///src/macros#0.1.0","target":{"kind":["proc-macro"],"name":"macros"},"platform":null,"mode":"build","dependencies":[{"index":1,"extern_crate_name":"proc_macro2"}]},
{"pkg_id":"path+file:///src/app#0.1.0","target":{"kind":["bin"],"name":"app"},"platform":"rv","mode":"build","dependencies":[{"index":3,"extern_crate_name":"their_macros"},{"index":6,"extern_crate_name":"macros"}]},
{"pkg_id":"path+file:///usr/lib/compiler_builtins#0.1.0","target":{"kind":["custom-build"],"name":"build-script-build"},"platform":null,"mode":"build","is_std":true,"dependencies":[{"index":0,"extern_crate_name":"syn"}]}]}`
	g, err := parseUnitGraph([]byte(graph))
	if err != nil {
		t.Fatal(err)
	}
	// Own code links json and proc-macro2. Syn is linked by a macro of a
	// dependency and by the standard library's build script only.
	needs := g.hostNeeds()
	if want := (hostNeeds{"json": true, "their_macros": true, "proc_macro2": true}); !maps.Equal(needs, want) {
		t.Errorf("own code links %v, want %v", needs, want)
	}
	const h, triple = "0123456789abcdef", "riscv32imc-unknown-none-elf"
	for name, want := range map[string]bool{
		"release/deps/libsyn-" + h + ".rlib":                                      true,
		"release/deps/libsyn-" + h + ".rmeta":                                     true,
		"release/deps/syn-" + h + ".d":                                            false,
		"release/deps/libproc_macro2-" + h + ".rlib":                              false,
		"release/deps/libtheir_macros-" + h + ".so":                               false,
		"release/deps/libother_macros-" + h + ".so":                               false,
		"release/build/syn-" + h + "/build-script-build":                          true,
		"release/build/syn-" + h + "/build_script_build-" + h:                     true,
		"release/build/syn-" + h + "/build_script_build-" + h + ".d":              false,
		"release/build/syn-" + h + "/output":                                      false,
		"release/build/syn-" + h + "/out/build-script-build":                      false,
		triple + "/release/deps/libsyn-" + h + ".rlib":                            false,
		triple + "/release/build/syn-" + h + "/build-script-build":                false,
		"release/.fingerprint/syn-" + h + "/build-script-build-script-build":      false,
		"release/.fingerprint/syn-" + h + "/build-script-build-script-build.json": false,
	} {
		if got := needs.leavesOut(name, triple); got != want {
			t.Errorf("leaves out %s: %v", name, got)
		}
		if hostNeeds(nil).leavesOut(name, triple) {
			t.Errorf("without a unit graph %s is left out", name)
		}
	}
}
