package faults

import (
	"errors"
	"strings"
	"testing"

	"espalier.dev/espalier/emu"
)

const s = emu.Time(emu.Second)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		text string
		want Fault
	}{
		{"at 2s deauth", Fault{Kind: Deauth, From: 2 * s, To: 2 * s, Reason: 7}},
		{"at 2s deauth reason 3", Fault{Kind: Deauth, From: 2 * s, To: 2 * s, Reason: 3}},
		{"no-network", Fault{Kind: NoNetwork, To: emu.Never}},
		{"at 1m for 500ms beacon-loss", Fault{Kind: BeaconLoss, From: 60 * s, To: 60*s + s/2}},
		{"from 1s wrong-passphrase", Fault{Kind: WrongPassphrase, From: s, To: emu.Never}},
		{"from 1s to 3s weak-signal", Fault{Kind: WeakSignal, From: s, To: 3 * s, Level: -92}},
		{"weak-signal -80dBm", Fault{Kind: WeakSignal, To: emu.Never, Level: -80}},
		{"loss 5%", Fault{Kind: FrameLoss, To: emu.Never, PPM: 50000}},
		{"duplication 0.01%", Fault{Kind: FrameDuplication, To: emu.Never, PPM: 100}},
		{"delay 20ms", Fault{Kind: FrameDelay, To: emu.Never, Delay: 20 * emu.Millisecond}},
		{"reordering 10%", Fault{Kind: FrameReordering, To: emu.Never, PPM: 100000, Delay: 5 * emu.Millisecond}},
		{"reordering 10% 1ms", Fault{Kind: FrameReordering, To: emu.Never, PPM: 100000, Delay: emu.Millisecond}},
		{"dns-failure", Fault{Kind: DNSFailure, To: emu.Never}},
		{"at 1s dns-failure silence", Fault{Kind: DNSFailure, From: s, To: emu.Never, Answer: Silence}},
		{"at 3s tcp-reset", Fault{Kind: TCPReset, From: 3 * s, To: 3 * s}},
		{"tcp-reset", Fault{Kind: TCPReset, To: emu.Never}},
		{"clock-skew -1h", Fault{Kind: ClockSkew, To: emu.Never, Delay: -3600 * emu.Second}},
	} {
		t.Run(tc.text, func(t *testing.T) {
			got, err := Parse(tc.text)
			if err != nil || got != tc.want {
				t.Fatalf("%+v, %v; want %+v", got, err, tc.want)
			}
			again, err := Parse(got.String())
			if err != nil || again != got {
				t.Fatalf("%q reads as %+v, %v", got, again, err)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", "the kind of fault is missing"},
		{"at", "a time such as 2s is missing"},
		{"at 2 deauth", `"2" is not a time`},
		{"at -2s deauth", "negative"},
		{"at 30000h deauth", "exceeds 1000 days"},
		{"deauth", "happens at an instant: at 2s deauth"},
		{"at 1s for 2s deauth", "happens at an instant"},
		{"at 2s deauth reason 0", "from 1 to 65535"},
		{"at 2s sabotage", `"sabotage" is none of no-network, `},
		{"from 3s to 2s no-network", "ends before it starts"},
		{"at 1s for 0s no-network", "the duration after for is zero"},
		{"loss", "a percentage such as 5% is missing"},
		{"loss 101%", "not a percentage"},
		{"loss NaN%", "not a percentage"},
		{"weak-signal +3dBm", "not a level"},
		{"delay 1s 2s", `"2s" does not belong to delay`},
	} {
		t.Run(tc.text, func(t *testing.T) {
			_, err := Parse(tc.text)
			if !errors.As(err, new(*SyntaxError)) || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("%v; want %q", err, tc.want)
			}
		})
	}
}

func TestSchedule(t *testing.T) {
	list, err := ParseAll([]string{"at 5s deauth reason 2", "from 1s to 4s no-network", "at 2s deauth", "at 5s deauth reason 3", "loss 1%", "at 2s for 1s loss 50%"})
	if err != nil {
		t.Fatal(err)
	}
	if f, ok := list.Active(FrameLoss, 2*s); !ok || f.PPM != 500000 {
		t.Errorf("loss at 2 s: %v, %v", f, ok)
	}
	if f, ok := list.Active(FrameLoss, 3*s); !ok || f.PPM != 10000 {
		t.Errorf("loss at 3 s: %v, %v", f, ok)
	}
	for at, want := range map[emu.Time]bool{0: false, s: true, 4*s - 1: true, 4 * s: false} {
		if _, ok := list.Active(NoNetwork, at); ok != want {
			t.Errorf("no-network at %s: %v", at, ok)
		}
	}
	if due := list.Due(Deauth, 2*s, 5*s); len(due) != 2 || due[0].Reason != 2 || due[1].Reason != 3 {
		t.Errorf("deauth after 2 s: %v", due)
	}
	if due := list.Due(FrameLoss, emu.Never, 0); len(due) != 1 {
		t.Errorf("loss from the start: %v", due)
	}
	var edges []emu.Time
	for at := list.Next(0); at != emu.Never; at = list.Next(at) {
		edges = append(edges, at/s)
	}
	if want := []emu.Time{1, 2, 3, 4, 5}; len(edges) != len(want) {
		t.Errorf("edges %v", edges)
	}
	again, err := ParseAll(strings.Split(list.String(), "\n"))
	if err != nil || again.String() != list.String() {
		t.Errorf("%s\nreads as\n%s", list, again)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"at 2s deauth", "from 1s to 2s loss 5%", "reordering 0.5% 3ms", "at 1s for 2s dns-failure nxdomain", "clock-skew -1h", "weak-signal -80dBm"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(got.String())
		if err != nil || again != got {
			t.Fatalf("%q gives %q, which gives %+v, %v", text, got, again, err)
		}
	})
}
