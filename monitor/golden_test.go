package monitor

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// recorder renders what a monitor gives as text.
type recorder struct{ strings.Builder }

func (r *recorder) Line(l Line) {
	mark := map[Class]string{Program: " ", Boot: "b", Crash: "c"}[l.Class]
	end := map[End]string{Return: "<CR>", Partial: "<partial>", Cut: "<cut>"}[l.End]
	if l.Continued {
		mark += "+"
	}
	text := l.Text
	if len(text) > 200 {
		text = fmt.Sprintf("%s… (%d bytes)", text[:100], len(text))
	}
	fmt.Fprintf(r, "%s|%s%s\n", mark, text, end)
	for _, n := range l.Notes {
		fmt.Fprintf(r, "      %s = %s\n", l.Text[n.Start:n.End], describe(n.Frames[0]))
	}
}

func (r *recorder) Report(x *Report) {
	fmt.Fprintf(r, "---- report of lines %d to %d\n%s----\n", x.FirstLine, x.LastLine, x)
}

// play runs a log through a monitor in writes of the sizes that size gives.
// Time is one millisecond per line.
func play(t testing.TB, log []byte, opt Options, size func() int) string {
	t.Helper()
	rec := &recorder{}
	m := New(opt, rec)
	done := 0
	for done < len(log) {
		n := min(max(size(), 1), len(log)-done)
		at := time.Duration(bytes.Count(log[:done], []byte("\n"))) * time.Millisecond
		m.Write(UART0, at, log[done:done+n])
		done += n
	}
	res := m.Close(time.Duration(bytes.Count(log, []byte("\n"))) * time.Millisecond)
	fmt.Fprintf(rec, "verdict: %v: %s\n", res.Verdict, res.Reason)
	if err := res.Err(); err != nil {
		fmt.Fprintf(rec, "error: %v\n", err)
	}
	return rec.String()
}

// TestLogs compares what becomes of each log in testdata/logs with its golden
// file, once stopping at the first crash and once going on.
func TestLogs(t *testing.T) {
	logs, err := filepath.Glob("testdata/logs/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatal("no logs", err)
	}
	syms := testSymbols(t)
	for _, name := range logs {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".log"), func(t *testing.T) {
			log, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			whole := func() int { return len(log) }
			got := play(t, log, Options{Symbols: syms}, whole) +
				"======== going on\n" + play(t, log, Options{Symbols: syms, KeepGoing: true, KeepColor: true}, whole)
			golden := strings.TrimSuffix(name, ".log") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("%s (refresh with -update):\n%s", golden, d)
			}
			// However it is cut, the same comes out.
			for seed := range uint64(20) {
				r := rand.New(rand.NewPCG(seed, 1))
				opt := Options{Symbols: syms}
				again := play(t, log, opt, func() int { return 1 + r.IntN(40) })
				if d := cmp.Diff(play(t, log, opt, whole), again); d != "" {
					t.Fatalf("cut with seed %d:\n%s", seed, d)
				}
			}
		})
	}
}
