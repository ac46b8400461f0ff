package build_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/chipfiles"
	"espalier.dev/espalier/internal/devtest/dist"
	"espalier.dev/espalier/internal/devtest/mini"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/progress"
	"espalier.dev/espalier/internal/supply/debian"
	"espalier.dev/espalier/internal/supply/rustdist"
)

// TestRustDistribution packs the compiler of the Debian archive in the formats
// of the official distribution, serves it, and builds with it: once with a
// prebuilt standard library, and once as a nightly whose project builds the
// library, where the firmware must be identical to that of the Debian
// toolchain.
func TestRustDistribution(t *testing.T) {
	b := newBench(t)
	ctx := t.Context()
	const date = 1_700_000_000
	b.lock(date)
	debianPins := b.pins
	want := b.build()
	tc, err := debianPins.ToolchainFor(b.session().Host)
	if err != nil {
		t.Fatal(err)
	}
	version, _, _ := strings.Cut(tc.Rustc, " ")
	components := b.components(ctx, tc)
	library := b.library(ctx)

	server := dist.New(t)
	server.Publish(t, "2026-05-28", append(slices.Clone(components), library), "stable", version, "nightly", "2026-05-28/nightly")
	session := b.session()
	session.RustDist, session.Lookup, session.Home = []string{server.URL}, func(string) (string, bool) { return "", false }, ""
	channel := func(name string) {
		text := "[toolchain]\nchannel = \"" + name + "\"\ncomponents = [\"rust-src\"]\ntargets = [\"riscv32imc-unknown-none-elf\"]\n"
		if err := os.WriteFile(filepath.Join(b.dir, "rust-toolchain.toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lockWith := func(t *testing.T, req pin.Request) (*lock.File, error) {
		l, err := session.Lock(ctx, b.open(), req)
		if err != nil {
			return nil, err
		}
		l.File.Project.SourceDateEpoch = date
		return l.File, nil
	}

	t.Run("exact version with a ready-made library", func(t *testing.T) {
		channel(version)
		mini.Edit(t, b.dir, ".cargo/config.toml", "[unstable]\nbuild-std = [\"core\"]\n", "# no build-std\n")
		defer mini.Edit(t, b.dir, ".cargo/config.toml", "# no build-std\n", "[unstable]\nbuild-std = [\"core\"]\n")
		pins, err := lockWith(t, pin.Request{Supplier: pin.Rust})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := pins.ToolchainFor(session.Host)
		if !strings.HasPrefix(got.Supplier, "rust:"+version+" debian:") || !pins.Std.Lock.IsZero() || slices.ContainsFunc(pins.Crates, func(c lock.Crate) bool { return slices.Contains(c.For, "std") }) {
			t.Errorf("supplier %s, std %v", got.Supplier, pins.Std.Lock)
		}
		text, err := lock.Encode(pins)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := lock.Decode("espalier.lock", text); err != nil || !lock.Compare(pins, again).Empty() {
			t.Errorf("the lock does not survive its file: %v", err)
		}
		b.pins = pins
		b.rec.take()
		out := b.build()
		if did := b.rec.take()["dependencies"]; slices.Contains(did, "core") {
			t.Errorf("compiled %q", did)
		}
		b.boot(t, out)
		if again, err := session.Lock(ctx, b.open(), pin.Request{Old: pins}); err != nil || !lock.Compare(pins, again.File).Empty() {
			t.Errorf("pins move by themselves: %v", err)
		}
	})
	t.Run("dated nightly that builds the library", func(t *testing.T) {
		channel("nightly-2026-05-28")
		pins, err := lockWith(t, pin.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if pins.Std.Lock != debianPins.Std.Lock {
			t.Errorf("std's lock is %v, in the Debian package %v", pins.Std.Lock, debianPins.Std.Lock)
		}
		b.pins = pins
		if out := b.build(); out.ELF != want.ELF {
			t.Errorf("the firmware is %v, with the same compiler from Debian %v", out.ELF, want.ELF)
		}
	})
	t.Run("stable for a nightly, accepted", func(t *testing.T) {
		channel("nightly-2019-01-01")
		_, err := lockWith(t, pin.Request{})
		if fault.KindOf(err) != fault.Pins || !strings.Contains(strings.Join(fault.Hints(err), "\n"), `accept = "stable"`) {
			t.Errorf("%v, hints %q", err, fault.Hints(err))
		}
		if err := os.WriteFile(filepath.Join(b.dir, "espalier.toml"), []byte("[toolchain]\naccept = \"stable\"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(filepath.Join(b.dir, "espalier.toml"))
		pins, err := lockWith(t, pin.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := pins.ToolchainFor(session.Host); got.Accept != "stable" || got.Channel != "nightly-2019-01-01" || !strings.HasPrefix(got.Supplier, "debian:") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("another compiler than promised", func(t *testing.T) {
		lying := dist.New(t)
		var changed []dist.Component
		for _, c := range append(slices.Clone(components), library) {
			c.Version = "1.99.0 (000000000 2026-05-28)"
			changed = append(changed, c)
		}
		lying.Publish(t, "2026-05-28", changed, "1.99.0")
		channel("1.99.0")
		s := *session
		s.RustDist = []string{lying.URL}
		_, err := s.Lock(ctx, b.open(), pin.Request{})
		if fault.KindOf(err) != fault.Pins || !strings.Contains(err.Error(), "lists rustc 1.99.0") {
			t.Errorf("%v", err)
		}
	})
}

// components splits the toolchain of a lock into components.
func (b *bench) components(ctx context.Context, tc lock.Toolchain) []dist.Component {
	b.t.Helper()
	sup, err := debian.Discover("/", debian.Config{Host: tc.Host})
	if err != nil {
		b.t.Fatal(err)
	}
	part, err := sup.LockHost(ctx, b.st, progress.Discard)
	if err != nil {
		b.t.Fatal(err)
	}
	root, err := sup.AssembleCargo(ctx, b.st, part, progress.Discard)
	if err != nil {
		b.t.Fatal(err)
	}
	host, err := b.st.TreePath(ctx, root)
	if err != nil {
		b.t.Fatal(err)
	}
	full, err := b.st.TreePath(ctx, tc.Rootfs)
	if err != nil {
		b.t.Fatal(err)
	}
	triple, _ := rustdist.Triple(tc.Host)
	out, err := dist.FromTree(full, host, triple, tc.Rustc)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// library makes a component of the target's standard library, as compiled in
// the bench's dependency layer.
func (b *bench) library(ctx context.Context) dist.Component {
	b.t.Helper()
	layer, err := b.runner().Layer(ctx, b.plan())
	if err != nil {
		b.t.Fatal(err)
	}
	dir, err := b.st.TreePath(ctx, layer)
	if err != nil {
		b.t.Fatal(err)
	}
	tc, _ := b.pins.ToolchainFor(b.session().Host)
	c := dist.Component{Name: "rust-std", Triple: cargo.DefaultTarget, Version: tc.Rustc, Files: map[string]string{}}
	for _, crate := range []string{"core", "compiler_builtins"} { // the crates that the workspace uses
		found, _ := filepath.Glob(filepath.Join(dir, cargo.DefaultTarget, "release", "deps", "lib"+crate+"-*.r*"))
		if len(found) != 2 { // a library and its metadata, which a library of the distribution has inside
			b.t.Fatalf("the layer has %q of %s", found, crate)
		}
		for _, name := range found {
			c.Files["lib/rustlib/"+cargo.DefaultTarget+"/lib/"+filepath.Base(name)] = name
		}
	}
	return c
}

// boot runs the program of a build on the emulated chip and expects the
// workspace's output.
func (b *bench) boot(t *testing.T, out build.Output) {
	t.Helper()
	blob := func(name string) []byte {
		pin, ok := b.pins.Blob(name)
		if !ok {
			b.t.Fatalf("the lock has no %s", name)
		}
		bytes, err := b.st.ReadBlob(b.t.Context(), pin.Digest, 1<<24)
		if err != nil {
			b.t.Fatal(err)
		}
		return bytes
	}
	flash, err := image.FromELF(out.Bytes, image.Inputs{Bootloader: blob(chipfiles.BootloaderName)})
	if err != nil {
		b.t.Fatal(err)
	}
	var said bytes.Buffer
	board, err := c3.New(emu.Config{ROM: blob(chipfiles.ROMName), Flash: flash.Merged(), Output: func(o emu.Output) { said.Write(o.Data) }})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	if r := board.Run(ctx, emu.UntilText(mini.Expect), emu.Limit(5*time.Second)); r.Reason != emu.StopText {
		b.t.Errorf("the program did not say %q (%v):\n%s", mini.Expect, r.Reason, said.String())
	}
}
