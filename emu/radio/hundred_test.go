package radio

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/lan"
	"espalier.dev/espalier/emu/pcap"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/rv32"
)

// evidence identifies a run byte for byte: trace hash, capture of the medium and
// of the network, serial log.
type evidence struct {
	Runs    int
	Now     emu.Time
	Trace   uint64
	Capture string // SHA-256
	Bytes   int    // of the capture
	Log     string
}

func (e evidence) same(o evidence) bool {
	e.Runs = o.Runs
	return e == o
}

// gather runs the firmware of the demo once with lost frames.
func gather(t *testing.T, engine rv32.Engine) evidence {
	t.Helper()
	var file bytes.Buffer
	p := pcap.NewWriter(&file, lan.DefaultEpoch(), pcap.Interface{Name: "wlan", Link: pcap.Radiotap}, pcap.Interface{Name: "lan", Link: pcap.Ethernet})
	network, err := lan.New(lan.Config{Seed: 11, Capture: func(at emu.Time, b []byte) { p.Frame(1, at, b) }})
	if err != nil {
		t.Fatal(err)
	}
	s := newTestbed(t, setup{
		firmware: newLine, seed: 11, engine: engine,
		ap:      Config{DS: network, GroupRekey: 300 * emu.Millisecond, Faults: schedule(t, "radio-loss 20%")},
		capture: func(at emu.Time, b []byte) { p.Frame(0, at, b) },
	})
	res := s.until("200 OK", 5*emu.Second)
	return evidence{1, emu.At(res.Now), res.Trace, fmt.Sprintf("%x", sha256.Sum256(file.Bytes())), file.Len(), s.text.String()}
}

const (
	hundredRuns   = "ESPALIER_TEST_RUNS"
	hundredEngine = "ESPALIER_TEST_ENGINE"
	hundredFile   = "ESPALIER_TEST_RESULT"
)

// TestRunsOfAProcess is executed by the processes of TestHundredRuns.
func TestRunsOfAProcess(t *testing.T) {
	if os.Getenv(hundredFile) == "" {
		t.Skip("a part of TestHundredRuns")
	}
	var runs int
	var engine rv32.Engine
	if _, err := fmt.Sscan(os.Getenv(hundredRuns)+" "+os.Getenv(hundredEngine), &runs, &engine); err != nil {
		t.Fatal(err)
	}
	first := gather(t, engine)
	for range runs - 1 {
		if e := gather(t, engine); !e.same(first) {
			t.Fatalf("two runs of a process differ: %+v, %+v", first, e)
		}
		first.Runs++
	}
	b, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv(hundredFile), b, 0o666); err != nil {
		t.Fatal(err)
	}
}

// One hundred runs of the same image with the same seed have the same trace
// hash, the same capture and the same serial log: 25 with each of two engines on
// one processor and on four, in eight processes.
func TestHundredRuns(t *testing.T) {
	devtest.Long(t, "a hundred runs")
	firmware(t, newLine) // skips here, not in the processes, when it was not built
	type share struct {
		engine     rv32.Engine
		processors int
		runs       int
	}
	var shares []share
	for _, processors := range []int{1, 4} {
		for _, runs := range []int{13, 12} {
			shares = append(shares, share{rv32.EngineReference, processors, runs}, share{rv32.EngineBlock, processors, runs})
		}
	}
	dir := t.TempDir()
	results := make([]evidence, len(shares))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.NumCPU())
	for i, s := range shares {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			file := filepath.Join(dir, fmt.Sprint(i))
			cmd := exec.Command(os.Args[0], "-test.run=^TestRunsOfAProcess$", "-test.timeout=10m")
			cmd.Env = append(os.Environ(), fmt.Sprintf("GOMAXPROCS=%d", s.processors), hundredFile+"="+file,
				fmt.Sprintf("%s=%d", hundredRuns, s.runs), fmt.Sprintf("%s=%d", hundredEngine, s.engine))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%+v: %v\n%s", s, err, out)
				return
			}
			b, err := os.ReadFile(file)
			if err == nil {
				err = json.Unmarshal(b, &results[i])
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	total, first := 0, results[0]
	for i, r := range results {
		total += r.Runs
		if !r.same(first) {
			t.Errorf("%+v differs:\n%+v\nwant\n%+v", shares[i], r, first)
		}
	}
	if total != 100 || !strings.Contains(first.Log, "200 OK") || first.Bytes < 10_000 {
		t.Errorf("%d runs, a capture of %d bytes\n%s", total, first.Bytes, first.Log)
	}
	t.Logf("100 runs of %v: trace %016x, capture of %d bytes", first.Now, first.Trace, first.Bytes)
}
