package c3

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/rv32"
)

// busy is a program without a ROM that exercises possible sources of
// nondeterminism: it prints random numbers, waits by polling SYSTIMER and by
// WFI, toggles a pin and echoes its input, forever.
func busy(a *asm) {
	quietWatchdogs(a)
	a.poke(0x600c0008, 0xd)
	a.poke(0x600c0058, 1<<10)
	a.poke(uart0+uartClkDiv, 20) // 1 Mbaud
	a.poke(uart0+uartIdleConf, 0x100)
	a.poke(gpioBase+gpEnable, 1<<8)
	a.poke(sysTimer+0x64, 1)
	a.poke(intMatrixBase+4*37, 1)
	a.poke(intMatrixBase+0x118, 1)
	a.poke(intMatrixBase+0x104, 2)
	loop := a.pc()
	// One random byte.
	a.li(t0, 0x600260b0)
	a.lw(a0, t0, 0)
	a.li(t0, uart0)
	a.sw(a0, t0, 0)
	// Toggle the pin by this bit.
	a.li(t0, gpioBase)
	a.sw(a0, t0, gpOut)
	// Wait until the timer has counted 256.
	a.li(t0, sysTimer)
	a.li(t1, 1<<30)
	a.sw(t1, t0, 4)
	a.lw(a1, t0, 0x44)
	a.addi(a1, a1, 256)
	poll := a.pc()
	a.sw(t1, t0, 4)
	a.lw(a2, t0, 0x44)
	a.branch(6, a2, a1, poll)
	// Sleep for another 160 counts.
	a.addi(a1, a1, 160)
	a.sw(a1, t0, 0x20)
	a.addi(t2, zero, 1)
	a.sw(t2, t0, 0x50)
	a.li(t1, 0x47000000)
	a.sw(t1, t0, 0)
	a.wfi()
	a.sw(t2, t0, 0x6c)
	a.li(t1, 0x46000000)
	a.sw(t1, t0, 0)
	// Echo.
	a.li(t0, uart0)
	a.lw(a0, t0, 0x1c)
	a.addi(t1, zero, 0x3f)
	a.and(a0, a0, t1)
	skip := a.pc() + 12
	a.branch(0, a0, zero, skip)
	a.lw(a0, t0, 0)
	a.sw(a0, t0, 0)
	a.j(loop)
}

// run has the observable results of a run.
type run struct {
	res  emu.Result
	out  []byte
	pins []emu.PinChange
	in   []emu.Input
}

func (r run) same(t *testing.T, name string, o run) {
	t.Helper()
	if r.res.Trace != o.res.Trace || r.res.Now != o.res.Now || r.res.Instructions != o.res.Instructions {
		t.Errorf("%s: trace %x at %v after %d instructions, want %x at %v after %d", name,
			o.res.Trace, o.res.Now, o.res.Instructions, r.res.Trace, r.res.Now, r.res.Instructions)
	}
	if !bytes.Equal(r.out, o.out) {
		t.Errorf("%s: other output", name)
	}
	if !slices.Equal(r.pins, o.pins) {
		t.Errorf("%s: other pin changes: %d, want %d", name, len(o.pins), len(r.pins))
	}
}

func runOnce(t *testing.T, cfg emu.Config, drive func(b *emu.Board), limit emu.Duration) run {
	t.Helper()
	var r run
	cfg.Output = func(o emu.Output) { r.out = append(r.out, o.Data...) }
	cfg.Pin = func(p emu.PinChange) { r.pins = append(r.pins, p) }
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	drive(b)
	r.res = b.Run(t.Context(), emu.Limit(limit.Std()))
	r.in = b.Inputs()
	return r
}

func TestSameRunEverywhere(t *testing.T) {
	cfg := emu.Config{ROM: program(busy).rom(), Seed: 7}
	drive := func(b *emu.Board) {
		b.Inject(emu.Input{At: emu.Time(3 * emu.Millisecond), Kind: emu.InputSerial, Port: emu.UART0, Data: []byte("hello")})
		b.Inject(emu.Input{At: emu.Time(9 * emu.Millisecond), Kind: emu.InputPin, Pin: 2, Level: emu.High})
		b.Inject(emu.Input{At: emu.Time(12 * emu.Millisecond), Kind: emu.InputReset})
	}
	const limit = 30 * emu.Millisecond
	want := runOnce(t, cfg, drive, limit)
	if len(want.out) < 500 || len(want.pins) < 100 {
		t.Fatalf("the program did little: %d bytes, %d pin changes", len(want.out), len(want.pins))
	}
	want.same(t, "again", runOnce(t, cfg, drive, limit))

	for _, n := range []int{1, 2, 7} {
		old := runtime.GOMAXPROCS(n)
		want.same(t, "GOMAXPROCS", runOnce(t, cfg, drive, limit))
		runtime.GOMAXPROCS(old)
	}

	reference := cfg
	reference.Engine = rv32.EngineReference
	want.same(t, "reference engine", runOnce(t, reference, drive, limit))

	replay := cfg
	replay.Replay = want.in
	want.same(t, "replay", runOnce(t, replay, func(*emu.Board) {}, limit))

	other := cfg
	other.Seed = 8
	if r := runOnce(t, other, drive, limit); r.res.Trace == want.res.Trace {
		t.Error("another seed has the same trace hash")
	}
	if r := runOnce(t, cfg, func(*emu.Board) {}, limit); r.res.Trace == want.res.Trace {
		t.Error("other inputs have the same trace hash")
	}
}

// The result does not depend on how a run is divided into calls.
func TestRunInPieces(t *testing.T) {
	cfg := emu.Config{ROM: program(busy).rom()}
	const limit = 10 * emu.Millisecond
	want := runOnce(t, cfg, func(*emu.Board) {}, limit)
	// The last call ends at the same time as the other runs.
	got := runOnce(t, cfg, func(b *emu.Board) {
		for b.Now() < (limit - 100*emu.Microsecond).Std() {
			b.Run(t.Context(), emu.Instructions(997))
			b.Run(t.Context(), emu.Limit(13*time.Microsecond))
			b.Run(t.Context(), emu.UntilText("a"), emu.Limit(5*time.Microsecond))
		}
		b.Run(t.Context(), emu.Limit((emu.Time(limit).Sub(emu.At(b.Now())) - 1).Std()))
	}, 1)
	got.res.Instructions = want.res.Instructions
	want.same(t, "in pieces", got)
}

func TestSnapshot(t *testing.T) {
	cfg := emu.Config{ROM: program(busy).rom(), Seed: 3, Flash: bytes.Repeat([]byte{0xff}, 1<<20)}
	first, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	first.Inject(emu.Input{At: emu.Time(9 * emu.Millisecond), Kind: emu.InputSerial, Port: emu.UART0, Data: []byte("later")})
	first.Send(emu.UART0, bytes.Repeat([]byte("x"), 300))
	first.Run(t.Context(), emu.Limit(7*time.Millisecond))
	snap := first.Snapshot()
	want := first.Run(t.Context(), emu.Limit(20*time.Millisecond))

	for _, engine := range []rv32.Engine{rv32.EngineBlock, rv32.EngineReference} {
		cfg.Engine = engine
		second, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		second.Run(t.Context(), emu.Limit(123*time.Microsecond)) // somewhere else
		if err := second.Restore(snap); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(second.Snapshot().Bytes(), snap.Bytes()) {
			t.Error("a restored board has another snapshot")
		}
		got := second.Run(t.Context(), emu.Limit(20*time.Millisecond))
		if got.Trace != want.Trace || got.Now != want.Now || got.Instructions != want.Instructions {
			t.Errorf("engine %v: went on to %x at %v, want %x at %v", engine, got.Trace, got.Now, want.Trace, want.Now)
		}
	}
	// The same board is set back to an earlier time.
	if err := first.Restore(snap); err != nil {
		t.Fatal(err)
	}
	if got := first.Run(t.Context(), emu.Limit(20*time.Millisecond)); got.Trace != want.Trace {
		t.Error("the second time is different")
	}

	// And from a file.
	saved := snap.Bytes()
	read, err := emu.ParseSnapshot(saved)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Restore(read); err != nil {
		t.Fatal(err)
	}
	if got := first.Run(t.Context(), emu.Limit(20*time.Millisecond)); got.Trace != want.Trace {
		t.Error("from a file is different")
	}
	for name, bad := range map[string][]byte{"empty": nil, "cut": saved[:len(saved)/2], "another file": append([]byte{saved[0] ^ 1}, saved[1:]...),
		"one bit": append(append(bytes.Clone(saved[:5000]), saved[5000]^1), saved[5001:]...)} {
		var e *emu.SnapshotError
		if _, err := emu.ParseSnapshot(bad); !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg.Flash = nil // 4 MiB
	other, _ := New(cfg)
	before := other.Snapshot()
	var e *emu.SnapshotError
	if err := other.Restore(snap); !errors.As(err, &e) {
		t.Errorf("other flash size: %v", err)
	}
	if !bytes.Equal(before.Bytes(), other.Snapshot().Bytes()) {
		t.Error("a refused snapshot changed the board")
	}
}

func TestStopReasons(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	idle := func(a *asm) { quietWatchdogs(a); a.halt() }
	spin := func(a *asm) { quietWatchdogs(a); a.j(a.pc()) }
	reset := func(a *asm) { a.poke(0x60008000, 1<<31); a.halt() }
	for _, k := range []struct {
		name  string
		ctx   context.Context
		write func(a *asm)
		opts  []emu.Option
		want  emu.StopReason
	}{
		{"idle for ever", t.Context(), idle, nil, emu.StopIdle},
		{"idle with a limit", t.Context(), idle, []emu.Option{emu.Limit(1000 * time.Second)}, emu.StopLimit},
		{"context", cancelled, spin, nil, emu.StopContext},
		{"instructions", t.Context(), spin, []emu.Option{emu.Instructions(1234)}, emu.StopInstructions},
		{"limit", t.Context(), spin, []emu.Option{emu.Limit(time.Millisecond)}, emu.StopLimit},
		{"reset", t.Context(), reset, []emu.Option{emu.UntilReset(), emu.Limit(time.Second)}, emu.StopReset},
		{"text", t.Context(), func(a *asm) { a.print("abc"); a.halt() }, []emu.Option{emu.UntilText("bc"), emu.Limit(time.Second)}, emu.StopText},
		{"output", t.Context(), func(a *asm) { a.print("abc"); a.halt() },
			[]emu.Option{emu.UntilOutput(func(o emu.Output) bool { return o.Data[0] == 'b' }), emu.Limit(time.Second)}, emu.StopOutput},
	} {
		t.Run(k.name, func(t *testing.T) {
			res := guest(t, emu.Config{}, k.write).Run(k.ctx, k.opts...)
			if res.Reason != k.want {
				t.Fatalf("stopped with %v, want %v", res.Reason, k.want)
			}
			switch k.want {
			case emu.StopInstructions:
				if res.Instructions != 1234 {
					t.Errorf("%d instructions", res.Instructions)
				}
			case emu.StopContext:
				if !errors.Is(res.Err, context.Canceled) {
					t.Errorf("error %v", res.Err)
				}
			case emu.StopText:
				if res.Text != "bc" {
					t.Errorf("text %q", res.Text)
				}
			case emu.StopReset:
				if len(res.Resets) != 1 || res.Resets[0].Name != "RTC_SW_SYS_RST" {
					t.Errorf("resets %v", res.Resets)
				}
			}
		})
	}
}

// Cancelling the context soon ends the run of a guest that computes.
func TestContextEndsABusyRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := guest(t, emu.Config{}, func(a *asm) { quietWatchdogs(a); a.print("x"); a.j(a.pc()) })
	res := b.Run(ctx, emu.UntilOutput(func(emu.Output) bool { cancel(); return false }))
	if res.Reason != emu.StopContext || res.Now > 20*time.Millisecond {
		t.Errorf("stopped with %v at %v", res.Reason, res.Now)
	}
}

// The whole boot, through Espressif's code, gives the same run on both engines.
func TestBootIsTheSameOnBothEngines(t *testing.T) {
	flash := app(t, hello)
	var traces []uint64
	for _, engine := range []rv32.Engine{rv32.EngineBlock, rv32.EngineReference, rv32.EngineBlock} {
		b, _ := boot(t, emu.Config{Flash: flash, Engine: engine})
		res := b.Run(t.Context(), emu.UntilText("hello from flash\n"), emu.Limit(time.Second))
		if res.Reason != emu.StopText {
			t.Fatal(res.Reason)
		}
		traces = append(traces, res.Trace)
	}
	if traces[0] != traces[1] || traces[0] != traces[2] {
		t.Errorf("traces %x", traces)
	}
}

// Input that the host sends from the output callback is delivered at once and
// recorded like any other.
func TestAnswerFromOutput(t *testing.T) {
	echo := func(a *asm) {
		quietWatchdogs(a)
		a.print("?")
		a.li(t0, uart0)
		poll := a.pc()
		a.lw(a0, t0, 0x1c)
		a.addi(t1, zero, 0xff)
		a.and(a0, a0, t1)
		a.branch(0, a0, zero, poll)
		a.lw(a0, t0, 0)
		a.sw(a0, t0, 0)
		a.halt()
	}
	var b *emu.Board
	b = guest(t, emu.Config{Output: func(o emu.Output) {
		if o.Data[0] == '?' {
			b.Send(emu.UART0, []byte("!"))
		}
	}}, echo)
	res := b.Run(t.Context(), emu.UntilText("!"), emu.Limit(time.Second))
	if res.Reason != emu.StopText || res.Now > 15*time.Millisecond {
		t.Fatalf("stopped with %v at %v", res.Reason, res.Now)
	}
	again := guest(t, emu.Config{Replay: b.Inputs()}, echo)
	if r := again.Run(t.Context(), emu.UntilText("!"), emu.Limit(time.Second)); r.Trace != res.Trace {
		t.Errorf("replayed: trace %x at %v, want %x at %v", r.Trace, r.Now, res.Trace, res.Now)
	}
}
