package build

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestRustProject(t *testing.T) {
	const graph = `{"version":1,"units":[
{"pkg_id":"registry+https://x#core@0.0.0","target":{"kind":["lib"],"name":"core","src_path":"/usr/core.rs","edition":"2024"},"platform":"rv","mode":"build","is_std":true,"dependencies":[]},
{"pkg_id":"registry+https://x#my-macros@1.0.0","target":{"kind":["proc-macro"],"name":"my-macros","src_path":"/cargo/m/src/lib.rs","edition":"2021"},"platform":null,"mode":"build","features":[],"dependencies":[]},
{"pkg_id":"path+file:///src/app#0.1.0","target":{"kind":["custom-build"],"name":"build-script-build","src_path":"/src/app/build.rs","edition":"2021"},"platform":null,"mode":"build","features":["wifi"],"dependencies":[]},
{"pkg_id":"path+file:///src/app#0.1.0","target":{"kind":["custom-build"],"name":"build-script-build","src_path":"/src/app/build.rs","edition":"2021"},"platform":null,"mode":"run-custom-build","features":["wifi"],"dependencies":[{"index":2,"extern_crate_name":"build_script_build"}]},
{"pkg_id":"path+file:///src/app#0.1.0","target":{"kind":["bin"],"name":"my-app","src_path":"/src/app/src/bin/one.rs","edition":"2021"},"platform":"rv","mode":"build","features":["wifi"],"dependencies":[{"index":0,"extern_crate_name":"core"},{"index":1,"extern_crate_name":"renamed"},{"index":3,"extern_crate_name":"build_script_build"}]}],"roots":[4]}`
	g, err := parseUnitGraph([]byte(graph))
	if err != nil {
		t.Fatal(err)
	}
	macro := scriptOutput{PackageID: "registry+https://x#my-macros@1.0.0", Filenames: []string{"/target/libm.so"}}
	macro.Target.Kind = []string{"proc-macro"}
	scripts := []scriptOutput{{PackageID: "path+file:///src/app#0.1.0", Cfgs: []string{"fast"}, Env: [][2]string{{"BUILD", "7"}}, OutDir: "/target/out"}, macro}
	host := func(p string) string { return "/home/me" + strings.TrimPrefix(p, "/src") }
	p := rustProject(g, map[string][]string{"": {"unix"}, "rv": {`target_arch="riscv32"`}}, scripts, host, host)
	if len(p.Crates) != 3 {
		t.Fatalf("%+v", p.Crates)
	}
	m, script, app := p.Crates[0], p.Crates[1], p.Crates[2]
	if !m.Macro || m.Member || m.Name != "my_macros" || m.Target != "" || !slices.Equal(m.Cfg, []string{"unix"}) || m.Version != "1.0.0" || m.Dylib != "/home/me/target/libm.so" || app.Dylib != "" {
		t.Errorf("%+v", m)
	}
	if !script.Member || slices.Contains(script.Cfg, "fast") || script.Env["OUT_DIR"] != "" || script.Env["CARGO_MANIFEST_DIR"] != "/home/me/app" {
		t.Errorf("%+v", script)
	}
	if !app.Member || app.Root != "/home/me/app/src/bin/one.rs" || app.Target != "rv" || !slices.Equal(app.Deps, []ProjectDep{{0, "renamed"}}) ||
		!slices.Equal(app.Cfg, []string{`target_arch="riscv32"`, `feature="wifi"`, "fast"}) || app.Env["BUILD"] != "7" || app.Env["OUT_DIR"] != "/home/me/target/out" ||
		app.Env["CARGO_PKG_NAME"] != "app" || app.Env["CARGO_PKG_VERSION"] != "0.1.0" || app.Env["CARGO_MANIFEST_DIR"] != "/home/me/app" {
		t.Errorf("%+v", app)
	}
	if b, err := json.Marshal(p); err != nil || strings.Contains(string(b), "null") {
		t.Errorf("%s, %v", b, err)
	}
}
