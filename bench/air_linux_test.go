package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/lan"
	"espalier.dev/espalier/emu/radio"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/store"
)

// station is a board with an access point and an isolated network.
type station struct {
	board *emu.Board
	ap    *radio.AccessPoint
	text  strings.Builder
}

func newStation(b *testing.B, firmware string, ap radio.Config) *station {
	b.Helper()
	ctx := context.Background()
	st, err := store.Open(ctx, devtest.Store(b))
	check(b, err)
	defer st.Close()
	files := chipfiles.Own()
	rom, err := files.ROM(ctx, st, chipfiles.EmulatedRevision)
	boot, bootErr := files.Bootloader(ctx, st, image.ModeKeep)
	if err != nil || bootErr != nil {
		devtest.Missing(b, "the chip's files in the store (scripts/firmware)")
	}
	elf, err := os.ReadFile(filepath.Join(devtest.Store(b), "firmware", firmware))
	if err != nil {
		devtest.Missing(b, "firmware/"+firmware+" (scripts/firmware)")
	}
	flash, err := image.FromELF(elf, image.Inputs{Bootloader: boot})
	check(b, err)
	network, err := lan.New(lan.Config{})
	check(b, err)
	ap.SSID, ap.Passphrase, ap.DS = "espalier", "a trellis in the air", network
	s := &station{}
	s.ap, err = radio.NewAccessPoint(ap)
	check(b, err)
	air := radio.NewMedium(radio.MediumConfig{})
	air.Add(s.ap)
	s.board, err = c3.New(emu.Config{ROM: rom, Flash: flash.Merged(), Radio: air.Antenna(), Output: func(o emu.Output) {
		if s.text.Len() < 1<<16 {
			s.text.Write(o.Data)
		}
	}})
	check(b, err)
	return s
}

func (s *station) until(b *testing.B, text string, limit emu.Duration) {
	b.Helper()
	if res := s.board.Run(b.Context(), emu.UntilText(text), emu.Limit(limit.Std())); res.Reason != emu.StopText {
		b.Fatalf("no %q in %v: %v\n%s", text, limit, res.Reason, s.text.String())
	}
}

// heap returns the size of the live heap after a collection, in bytes.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// maxLeak is the maximum growth of the heap from the first minute to the end of
// the day, in bytes: less than four for each beacon.
const maxLeak = 1 << 20

// BenchmarkIdleDay is 24 hours of guest time of a station in power save mode
// that renews its lease, with a new group key every hour (target: 60 s). At the
// end it must be associated and have the current group key, and the heap must
// not have grown.
//
//	go test ./bench -run '^$' -bench IdleDay -benchtime 1x
func BenchmarkIdleDay(b *testing.B) {
	devtest.Long(b, "a day of a board")
	const day = 24 * time.Hour
	for b.Loop() {
		b.StopTimer()
		s := newStation(b, "idle.elf", radio.Config{GroupRekey: 3600 * emu.Second})
		s.until(b, "got ip", 5*emu.Second)
		s.board.Run(b.Context(), emu.Limit(60*time.Second))
		before, rekeys := heap(), s.ap.GroupKeys()
		b.StartTimer()
		res := s.board.Run(b.Context(), emu.Limit(day))
		b.StopTimer()
		after := heap()
		st := s.ap.Stations()
		switch {
		case res.Reason != emu.StopLimit || len(res.Resets) > 0:
			b.Fatalf("stopped with %v, resets %v", res.Reason, res.Resets)
		case len(st) != 1 || !st[0].Keyed || !st[0].PowerSave || st[0].Rekeying:
			b.Fatalf("the station has changed: %+v", st)
		case s.ap.GroupKeys()-rekeys != 24:
			b.Fatalf("%d new group keys", s.ap.GroupKeys()-rekeys)
		case strings.Count(s.text.String(), "connected") != 1:
			b.Fatalf("the station lost the network:\n%s", s.text.String())
		case after-before > maxLeak:
			b.Fatalf("the heap grew from %.0f to %.0f bytes", before, after)
		}
		b.ReportMetric(before/1e6, "MB-before")
		b.ReportMetric(after/1e6, "MB-after")
		b.ReportMetric(res.Elapsed.Seconds()/3600, "guest-h")
		b.ReportMetric(float64(res.Instructions)/1e9, "G-instructions")
		b.StartTimer()
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkTCP transfers 1 MiB over TCP from the firmware to the network and 1
// MiB back, as measured by the firmware (targets: at least 5 Mbit/s of guest
// time, not slower than real time).
//
//	go test ./bench -run '^$' -bench TCP -benchtime 1x
func BenchmarkTCP(b *testing.B) {
	devtest.Long(b, "needs a built firmware")
	var guest time.Duration
	for b.Loop() {
		b.StopTimer()
		s := newStation(b, "transfer.elf", radio.Config{})
		s.until(b, "got ip", 5*emu.Second)
		b.StartTimer()
		start := s.board.Now()
		s.until(b, "done", 60*emu.Second)
		guest += s.board.Now() - start
		for _, what := range []string{"sent", "received"} {
			text := s.text.String()
			var bytes, micros float64
			if i := strings.Index(text, what+" "); i < 0 {
				b.Fatalf("nothing %s:\n%s", what, text)
			} else if _, err := fmt.Sscanf(text[i:], what+" %f bytes in %f us", &bytes, &micros); err != nil {
				b.Fatalf("%v\n%s", err, text)
			}
			b.ReportMetric(8*bytes/micros, "Mbit/s-"+what)
		}
	}
	b.ReportMetric(guest.Seconds()/b.Elapsed().Seconds(), "guest/wall")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkHTTP measures from power-on of a board to HTTP 200 over Wi-Fi
// (target: 0.4 of guest time).
//
//	go test ./bench -run '^$' -bench HTTP -benchtime 5x
func BenchmarkHTTP(b *testing.B) {
	devtest.Long(b, "needs a built firmware")
	var guest time.Duration
	for b.Loop() {
		b.StopTimer()
		s := newStation(b, "http-client.elf", radio.Config{})
		b.StartTimer()
		s.until(b, "200 OK", 5*emu.Second)
		guest += s.board.Now()
	}
	b.ReportMetric(b.Elapsed().Seconds()/guest.Seconds(), "wall/guest")
	b.ReportMetric(guest.Seconds()/float64(b.N)*1e3, "guest-ms")
	b.ReportMetric(0, "ns/op")
}
