package build

import "testing"

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
