package remote

import (
	"reflect"
	"testing"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/reapi"
)

func TestReport(t *testing.T) {
	want := Report{Version: jobVersion, ExitCode: 3, Hermetic: true, Outputs: []string{"/target"},
		Observation: &action.Observation{Files: []action.Access{{Path: "/src/a", Read: true}}},
		Fault:       &ReportedFault{Kind: fault.Sandbox, Text: "user namespace: not permitted", Hints: []string{"sysctl"}}}
	b, err := EncodeReport(want)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeReport(b); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "null", "{}", `{"Version":2}`, `{"Version":1,"ExitCode":-1}`, `{"Version":1,"Fault":{}}`, `{"Version":1} x`} {
		if got, err := DecodeReport([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, got)
		}
	}
}

// FuzzReport: a report that is accepted has an exit code of a process, and a fault
// that can be shown; it is the same after encoding.
func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"Version":1,"ExitCode":1,"Outputs":["firmware"],"Observation":{"Files":[{"Path":"/src/x"}]}}`))
	f.Add([]byte(`{"Version":1,"Fault":{"Kind":7,"Text":"x","Hints":["y"]}}`))
	f.Add([]byte(`{"Version":1,"ExitCode":256}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeReport(b)
		if err != nil {
			return
		}
		if r.ExitCode < 0 || r.ExitCode > 255 || r.Fault != nil && (r.Fault.Kind == fault.OK || r.Fault.Text == "") {
			t.Fatalf("%+v", r)
		}
		again, err := EncodeReport(r)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := DecodeReport(again); err != nil || !reflect.DeepEqual(same, r) {
			t.Fatalf("%+v comes back as %+v, %v", r, same, err)
		}
	})
}

// FuzzOperation: the end of an execution is a result or an error, whatever the
// bytes of its response are.
func FuzzOperation(f *testing.F) {
	ok, _ := reapi.Marshal(&reapi.ExecuteResponse{Result: &reapi.ActionResult{ExitCode: 1}})
	bad, _ := reapi.Marshal(&reapi.ExecuteResponse{Status: &reapi.Status{Code: 13, Message: "x"}})
	f.Add(reapi.TypeExecuteResponse, ok)
	f.Add(reapi.TypeExecuteResponse, bad)
	f.Add(reapi.TypeExecuteMetadata, []byte{8, 3})
	f.Fuzz(func(t *testing.T, typ string, b []byte) {
		a := &reapi.Any{TypeURL: typ, Value: b}
		if text := stage(a); text == "" {
			t.Fatal("no text for a stage")
		}
		r, err := response(a)
		if err != nil {
			return
		}
		if p, err := (&Cluster{}).ended(r); (p == nil) == (err == nil) {
			t.Fatalf("%+v, %v", p, err)
		}
	})
}
