package loader

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/internal/devtest"
	"espalier.dev/espalier/internal/elftest"
	"espalier.dev/espalier/internal/emuport"
	"espalier.dev/espalier/serial"
)

// noisy is a wire on which things happen: bytes are lost, doubled, changed and
// late, in both directions, and at some byte the plug is pulled.
type noisy struct {
	*emuport.Port
	rnd   *rand.Rand
	rate  float64 // of events per byte
	kinds int     // of the four
	pull  int     // bytes until the plug is pulled; < 0 never
	late  []byte
}

func (n *noisy) spoil(p []byte) []byte {
	out := make([]byte, 0, len(p)+4)
	for _, b := range p {
		if n.rnd.Float64() >= n.rate {
			out = append(out, b)
			continue
		}
		switch n.rnd.IntN(n.kinds) {
		case 0: // lost
		case 1:
			out = append(out, b, b)
		case 2:
			out = append(out, b^1<<n.rnd.IntN(8))
		}
	}
	return out
}

// count ends the connection at the chosen byte.
func (n *noisy) count(bytes int) error {
	if n.pull < 0 {
		return nil
	}
	if n.pull -= bytes; n.pull < 0 {
		n.Port.Close()
		return &serial.GoneError{Name: "noisy"}
	}
	return nil
}

func (n *noisy) Read(ctx context.Context, p []byte, timeout time.Duration) (int, error) {
	if n.late != nil {
		m := copy(p, n.late)
		n.late = nil
		return m, nil
	}
	end := n.Port.Now() + timeout
	for {
		m, err := n.Port.Read(ctx, p, max(0, end-n.Port.Now()))
		if err != nil {
			return m, err
		}
		if err := n.count(m); err != nil {
			return 0, err
		}
		q := n.spoil(p[:m])
		if n.rnd.Float64() < n.rate*10 { // late
			if err := n.Port.Wait(ctx, time.Duration(n.rnd.IntN(500))*time.Millisecond); err != nil {
				return 0, err
			}
		}
		m = copy(p, q)
		if m < len(q) {
			n.late = bytes.Clone(q[m:])
		}
		if m > 0 {
			return m, nil
		}
	}
}

func (n *noisy) Write(ctx context.Context, p []byte) error {
	if n.pull >= 0 && len(p) > n.pull {
		// The beginning still goes out.
		_ = n.Port.Write(ctx, p[:n.pull])
		return n.count(len(p))
	}
	if err := n.count(len(p)); err != nil {
		return err
	}
	return n.Port.Write(ctx, n.spoil(p))
}

// target is a chip with something in flash, and what it is to hold.
type target struct {
	port   *emuport.Port
	before []byte
	part   Part
	known  []Part // what a flasher remembers
}

func newTarget(t testing.TB, o emuport.Options, strap emu.Strap) *target {
	before := bytes.Repeat(elftest.Fill(1<<16, 7), 16) // 1 MiB of other bytes
	want := elftest.Fill(2*sector+100, 9)
	copy(want[sector:2*sector], bytes.Repeat([]byte("dull "), sector)[:sector])
	return &target{
		port:   board(t, emu.Config{Flash: before, Strap: strap}, o),
		before: before,
		part:   Part{Name: "data", Offset: 0x20000, Bytes: want},
	}
}

// flash is one whole session over a wire.
func flash(ctx context.Context, p serial.Port, o Options, parts ...Part) error {
	l, err := Connect(ctx, p, o)
	if err != nil {
		return err
	}
	_, err = l.Write(ctx, parts, WriteOptions{})
	return err
}

// reflash is flash with a cached copy of the old content.
func (g *target) reflash(ctx context.Context, p serial.Port, o Options) error {
	l, err := Connect(ctx, p, o)
	if err != nil {
		return err
	}
	_, err = l.Write(ctx, []Part{g.part}, WriteOptions{Known: func(Identity) []Part { return g.known }})
	return err
}

// deadline is the guest time in which a session over a bad wire must have come
// to an end of either kind.
const deadline = 120 * time.Second

// Proof 3 of the flasher: whatever the wire does, the end is a correct flash or
// a clear error in time, and then a clean retry succeeds.
func TestNoise(t *testing.T) {
	runs := 1000
	if testing.Short() {
		runs = 4
	}
	resources(t)
	var all tally
	t.Run("seeds", func(t *testing.T) {
		const groups = 8
		for g := range groups {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for seed := g; seed < runs; seed += groups {
					all.noise(t, uint64(seed))
				}
			})
		}
	})
	t.Logf("%d runs: %d flashed, errors %v, other sectors changed by spoilt commands in %d", runs, all.good, all.bad, all.foreign)
}

// tally counts how sessions ended.
type tally struct {
	mu            sync.Mutex
	good, foreign int
	bad           map[string]int
}

func (all *tally) noise(t *testing.T, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 77))
	o := Options{Baud: 921600}
	opt := emuport.Options{}
	if rnd.IntN(8) == 0 {
		opt.Stream = emu.USB
	}
	if rnd.IntN(5) == 0 {
		o.Stub = stub(t)
	}
	g := newTarget(t, opt, emu.StrapFlash)
	n := &noisy{Port: g.port, rnd: rnd, kinds: 3, pull: -1}
	switch rnd.IntN(3) {
	case 0:
		n.pull = rnd.IntN(12_000)
	case 1:
		n.pull, n.rate = rnd.IntN(12_000), 1e-4
	default:
		n.rate = []float64{1e-5, 1e-4, 3e-4, 1e-3}[rnd.IntN(4)]
	}
	if rnd.IntN(3) == 0 {
		old := g.before[g.part.Offset:][:6*sector]
		g.known = []Part{{Offset: g.part.Offset, Bytes: old}}
		g.part.Bytes = moved(old, 100, 9)
	}
	start := g.port.Now()
	err := g.reflash(t.Context(), n, o)
	if took := g.port.Now() - start; took > deadline {
		t.Errorf("seed %d: %v of guest time", seed, took)
	}
	holds := func() bool { return bytes.Equal(contents(g.port)[g.part.Offset:][:len(g.part.Bytes)], g.part.Bytes) }
	if err == nil && !holds() {
		t.Fatalf("seed %d: success, and the flash holds something else", seed)
	}
	if err != nil && !known(err) {
		t.Errorf("seed %d: unclear error %T: %v", seed, err, err)
	}
	g.port.Reopen()
	if err := g.reflash(t.Context(), g.port, o); err != nil {
		t.Fatalf("seed %d: the clean retry fails: %v", seed, err)
	}
	if !holds() {
		t.Fatalf("seed %d: after the clean retry the flash holds something else", seed)
	}
	// A command whose address is changed on the way has no checksum that the
	// chip could see: the one thing that noise can do to other sectors.
	rest := bytes.Clone(g.before)
	copy(rest[g.part.Offset:], padded(g.part.Bytes))
	spared := bytes.Equal(contents(g.port), rest)
	if !spared && n.rate == 0 {
		t.Fatalf("seed %d: other sectors have changed without noise", seed)
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.bad == nil {
		all.bad = map[string]int{}
	}
	if err == nil {
		all.good++
	} else {
		all.bad[kind(err)]++
	}
	if !spared {
		all.foreign++
	}
}

func kind(err error) string {
	var gone *serial.GoneError
	var none *ConnectError
	var quiet *TimeoutError
	var said *CommandError
	switch {
	case errors.As(err, &gone):
		return "gone"
	case errors.As(err, &none):
		return "connect"
	case errors.As(err, &quiet):
		return "timeout"
	case errors.As(err, &said):
		return "refused"
	}
	return "other"
}

// known reports whether an error is one that the package documents.
func known(err error) bool {
	var verify *VerifyError
	var refused *RefusedError
	var wrong *WrongChipError
	return kind(err) != "other" || errors.As(err, &verify) || errors.As(err, &refused) || errors.As(err, &wrong)
}

// dying ends the context at a chosen time of the guest.
type dying struct {
	*emuport.Port
	at   time.Duration
	kill context.CancelFunc
}

func (d *dying) Read(ctx context.Context, p []byte, timeout time.Duration) (int, error) {
	if now := d.Port.Now(); now+timeout > d.at {
		n, err := d.Port.Read(ctx, p, max(0, d.at-now))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			d.kill()
			return 0, context.Canceled
		}
		return n, err
	}
	return d.Port.Read(ctx, p, timeout)
}

// Proof 4: a flasher that is killed at any moment leaves a chip that the next
// flash brings to its end, also on a port that cannot reset it.
func TestKilledAnywhere(t *testing.T) {
	runs := 200
	devtestResources(t)
	img := hello(t)
	for seed := range runs {
		rnd := rand.New(rand.NewPCG(uint64(seed), 4))
		o := Options{Baud: 921600}
		opt := emuport.Options{NoLines: seed%4 == 3}
		strap := emu.StrapFlash
		if opt.NoLines {
			strap = emu.StrapDownload
		}
		p := board(t, emu.Config{Strap: strap}, opt)
		ctx, cancel := context.WithCancel(t.Context())
		err := flash(ctx, &dying{p, time.Duration(rnd.Int64N(int64(2200 * time.Millisecond))), cancel}, o, parts(img)...)
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("seed %d: %v", seed, err)
		}
		p.Close()
		p.Reopen()
		l, err := Connect(t.Context(), p, o)
		if err != nil {
			t.Fatalf("seed %d: the chip is lost: %v", seed, err)
		}
		if _, err := l.Write(t.Context(), parts(img), WriteOptions{}); err != nil {
			t.Fatalf("seed %d: the next flash fails: %v", seed, err)
		}
		if want := img.Trimmed(); !bytes.Equal(contents(p)[:len(want)], want) {
			t.Fatalf("seed %d: the flash holds something else", seed)
		}
		if seed%20 == 0 {
			if err := l.Leave(t.Context(), HardReset); err != nil {
				t.Fatal(err)
			}
			boots(t, p)
		}
	}
}

func devtestResources(t *testing.T) {
	t.Helper()
	devtest.Long(t, "boots a chip for each moment")
	resources(t)
}
