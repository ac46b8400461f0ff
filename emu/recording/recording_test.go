package recording

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"espalier.dev/espalier/emu/chip"
)

// script is a medium that does something different at each call.
type script struct{ n int }

func (s *script) Tune(chip.Time, int) {}
func (s *script) Next() chip.Time     { return chip.Time(s.n) }
func (s *script) Transmit(now chip.Time, f chip.RadioTX) (chip.Time, bool) {
	s.n++
	return now.Add(chip.Duration(s.n)), s.n%2 == 0
}
func (s *script) Receive(now chip.Time) (chip.RadioRX, bool) {
	s.n++
	return chip.RadioRX{Frame: []byte{byte(s.n)}, Channel: s.n, Level: -int8(s.n)}, s.n%3 != 0
}

// drive calls the medium as a chip does.
func drive(r chip.Radio, change byte) (out []any) {
	for i := range chip.Time(20) {
		if i%2 == 0 {
			done, acked := r.Transmit(10*i, chip.RadioTX{Frame: []byte{byte(i), change}})
			out = append(out, done, acked)
		}
		for k := 0; k < 5; k++ {
			f, ok := r.Receive(10 * i)
			if !ok {
				break
			}
			out = append(out, f)
		}
	}
	return out
}

func record(t *testing.T) (*bytes.Buffer, []any) {
	t.Helper()
	var b bytes.Buffer
	r := NewRecorder(&b, Header{ROM: "r", Flash: "f", Seed: 7}, &script{})
	did := drive(r, 0)
	inputs := []chip.Input{{At: 5, Kind: chip.InputSerial, Port: chip.USB, Data: []byte("hello\n")}, {At: 6, Kind: chip.InputPin, Pin: 9, Level: chip.Low}}
	if err := r.Finish(inputs, End{At: 200, Instructions: 1234, Trace: 1<<64 - 1}); err != nil {
		t.Fatal(err)
	}
	return &b, did
}

func TestRoundTrip(t *testing.T) {
	b, did := record(t)
	rec, err := Read(b)
	if err != nil {
		t.Fatal(err)
	}
	if rec.End != (End{200, 1234, 1<<64 - 1}) || len(rec.Inputs) != 2 || string(rec.Inputs[0].Data) != "hello\n" || rec.Inputs[1].Pin != 9 {
		t.Errorf("%+v", rec)
	}
	p := rec.Replay()
	if again := drive(p, 0); !reflect.DeepEqual(again, did) || p.Err() != nil {
		t.Errorf("replayed\n%v\nrecorded\n%v\n%v", again, did, p.Err())
	}
	p = rec.Replay()
	if drive(p, 1); p.Err() == nil || !strings.Contains(p.Err().Error(), "sends another frame") {
		t.Errorf("another frame: %v", p.Err())
	}
	if err := rec.Check(Header{ROM: "r", Flash: "f", Seed: 7}); err != nil {
		t.Error(err)
	}
	if err := rec.Check(Header{ROM: "r", Flash: "g", Seed: 8}); err == nil || err.Error() != "the recording is of a run with another flash, seed" {
		t.Error(err)
	}
}

func TestReadErrors(t *testing.T) {
	whole, _ := record(t)
	text := whole.String()
	head, rest, _ := strings.Cut(text, "\n")
	for _, tc := range []struct{ name, text, want string }{
		{"empty", "", "it is empty"},
		{"something else", "hello\n", "not a recording"},
		{"a later version", strings.Replace(head, ":1,", ":2,", 1) + "\n", "version 2"},
		{"nonsense in the middle", head + "\n{\n" + rest, "line 2"},
		{"time", head + "\n" + `{"at":2,"rx":"AA=="}` + "\n" + `{"at":1,"rx":"AA=="}` + "\n", "backwards"},
		{"nothing", head + "\n{}\n{}\n", "neither a frame"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Read(strings.NewReader(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v; want %q", err, tc.want)
			}
		})
	}
	rec, err := Read(strings.NewReader(text[:len(text)-50]))
	if err != nil || rec.End != (End{}) || len(rec.radio) == 0 {
		t.Errorf("cut short: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"espalier-run":1,"rom":"","flash":"","mac":[2,0,0,0,0,1],"seed":0,"radio":true}` + "\n" +
		`{"at":1,"tx":"0","done":2}` + "\n" + `{"at":3,"rx":"AA==","channel":1,"level":-40}` + "\n" + `{"at":3,"idle":true}` + "\n" +
		`{"at":4,"input":{"kind":0,"data":"AA=="}}` + "\n" + `{"finish":{"end":9,"instructions":5,"trace":"7"}}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		drive(rec.Replay(), 0)
	})
}
