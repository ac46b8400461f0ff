package cli

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/emu/lan"
	"espalier.dev/espalier/emu/lan/uplink"
	"espalier.dev/espalier/emu/pcap"
	"espalier.dev/espalier/emu/radio"
	"espalier.dev/espalier/emu/recording"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
)

// airOptions say which network an emulated board meets, and what is written
// down of the run.
type airOptions struct {
	Net     string
	Forward []string
	Serve   string
	Hosts   []string
	Faults  []string
	Seed    uint64
	Record  string
	Replay  string
	Pcap    string

	ssid, passphrase string
	channel          int
}

func (o *airOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.Net, "net", "isolated", "network of the emulated access point: `MODE` is isolated, host (this machine's network) or none")
	f.StringArrayVar(&o.Forward, "forward", nil, "let `[ADDR:]PORT:GUEST` of this machine lead to a TCP port of the board")
	f.StringVar(&o.Serve, "serve", "", "serve the files in `DIR` at http://espalier.lan/ and https")
	f.StringArrayVar(&o.Hosts, "host", nil, "let the board's name server know `NAME=IP`")
	f.StringArrayVar(&o.Faults, "fault", nil, "let something go wrong, such as `'at 2s deauth'`; all of several")
	f.Uint64Var(&o.Seed, "seed", 1, "start everything that is random from `N`")
	f.StringVar(&o.Record, "record", "", "write the run to `FILE`, to be played again")
	f.StringVar(&o.Replay, "replay", "", "play the run in `FILE` again")
	f.StringVar(&o.Pcap, "pcap", "", "write the frames on the air and on the network behind it to `FILE`, as pcapng")
	o.ssid, o.passphrase, o.channel = project.DefaultSSID, project.DefaultPassphrase, 1
}

// settle takes what was not on the command line from [net] and [faults].
func (o *airOptions) settle(given func(flag string) bool, p *project.Project) {
	n := p.Espalier.Net
	o.ssid, o.passphrase, o.channel = n.SSID.V, n.Passphrase.V, int(n.Channel.V)
	if !given("net") {
		o.Net = n.Mode.V
	}
	if !given("forward") {
		o.Forward = n.Forward.V
	}
	if !given("serve") && n.Serve.V != "" {
		o.Serve = filepath.Join(p.Root, filepath.FromSlash(n.Serve.V))
		if filepath.IsAbs(n.Serve.V) {
			o.Serve = n.Serve.V
		}
	}
	if !given("host") {
		o.Hosts = n.Hosts.V
	}
	if !given("fault") {
		o.Faults = p.Espalier.Faults.Schedule.V
	}
	if !given("seed") {
		o.Seed = uint64(p.Espalier.Faults.Seed.V)
	}
}

// settleAir does that for a firmware that need not belong to a project: what
// the project here says counts, if there is one that can be read.
func (a *app) settleAir(o *airOptions, given func(flag string) bool) error {
	p, err := a.settings(project.Flags{})
	if err != nil {
		return err
	}
	o.settle(given, p)
	return nil
}

// check reads everything that can be written wrong, before anything is built.
func (o *airOptions) check() error {
	switch o.Net {
	case "", "isolated", "host", "none":
	case "island":
		return fault.New(fault.Usage, "--net island: this mode is now called isolated", "espalier run --net isolated")
	default:
		return fault.New(fault.Usage, fmt.Sprintf("--net %s: want isolated, host or none", o.Net))
	}
	if o.Replay != "" && (o.Record != "" || o.Pcap != "") {
		return fault.New(fault.Usage, "--replay plays the board's side of a run: it excludes --record and --pcap")
	}
	if _, err := faults.ParseAll(o.Faults); err != nil {
		return fault.Wrap(fault.Usage, err, "", "espalier run --fault 'at 2s deauth'")
	}
	if _, err := parseHosts(o.Hosts); err != nil {
		return err
	}
	for _, text := range o.Forward {
		if _, err := parseForward(text); err != nil {
			return err
		}
	}
	return nil
}

// realTime reports whether somebody outside takes part, who lives in real time.
func (o *airOptions) realTime() bool {
	return o.Replay == "" && (o.Net == "host" || len(o.Forward) > 0)
}

// scene is what an emulated board meets, and what is written down of it.
type scene struct {
	radio   emu.Radio // nil: no antenna
	replay  *recording.Recording
	player  *recording.Replay
	record  *recording.Recorder
	closers []func() error
}

// Close ends the network and the files; it returns the first error.
func (s *scene) Close() error {
	var first error
	for _, c := range s.closers {
		if err := c(); err != nil && first == nil {
			first = err
		}
	}
	s.closers = nil
	return first
}

// file creates a file that is written through a buffer until Close.
func (s *scene) file(name string) (*bufio.Writer, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, openError(name, err)
	}
	w := bufio.NewWriterSize(f, 1<<16)
	s.closers = append(s.closers, func() error {
		err := w.Flush()
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return fault.Wrap(fault.Usage, err, "writing "+name)
		}
		return nil
	})
	return w, nil
}

// scene sets the scene for a board that is made of cfg.
func (a *app) scene(ctx context.Context, o airOptions, cfg emu.Config) (s *scene, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	s = &scene{}
	if o.Net == "" { // no flags
		o.Net = "isolated"
	}
	if o.ssid == "" {
		o.ssid, o.passphrase, o.channel = project.DefaultSSID, project.DefaultPassphrase, 1
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if o.Replay != "" {
		return s, a.openReplay(ctx, s, o, recording.NewHeader(cfg))
	}
	if o.Net != "none" {
		if err := a.openAir(s, o); err != nil {
			return nil, err
		}
	}
	if o.Record != "" {
		w, err := s.file(o.Record)
		if err != nil {
			return nil, err
		}
		head := recording.NewHeader(cfg)
		head.Note = strings.Join(append([]string{fmt.Sprintf("net %s, ssid %s, channel %d", o.Net, o.ssid, o.channel)}, o.Faults...), "; ")
		s.record = recording.NewRecorder(w, head, s.radio)
		if s.radio != nil {
			s.radio = s.record
		}
	}
	return s, nil
}

func (a *app) openReplay(ctx context.Context, s *scene, o airOptions, head recording.Header) error {
	f, err := os.Open(o.Replay)
	if err != nil {
		return openError(o.Replay, err)
	}
	defer f.Close()
	if s.replay, err = recording.Read(f); err != nil {
		return atFile(o.Replay, err)
	}
	if err := s.replay.Check(head); err != nil {
		return fault.Wrap(fault.Differ, err, o.Replay, "the same firmware, --seed and --usb as when it was recorded")
	}
	if s.replay.Header.Radio {
		s.player = s.replay.Replay()
		s.radio = s.player
	}
	return ctx.Err()
}

// openAir puts an access point on an air, with a network behind it.
func (a *app) openAir(s *scene, o airOptions) error {
	schedule, err := faults.ParseAll(o.Faults)
	if err != nil {
		return err
	}
	net := lan.Config{Seed: o.Seed, Faults: schedule}
	if net.Names, err = parseHosts(o.Hosts); err != nil {
		return err
	}
	if o.Serve != "" {
		if net.Files, err = s.folder(o.Serve); err != nil {
			return err
		}
	}
	if a.ui.Verbose() {
		net.Log = func(at emu.Time, line string) { a.ui.Debugf("%s network: %s", at, line) }
	}
	if err := a.openUplink(s, o, &net); err != nil {
		return err
	}
	var air radio.MediumConfig
	if o.Pcap != "" {
		w, err := s.file(o.Pcap)
		if err != nil {
			return err
		}
		p := pcap.NewWriter(w, lan.DefaultEpoch(), pcap.Interface{Name: "wlan", Link: pcap.Radiotap}, pcap.Interface{Name: "lan", Link: pcap.Ethernet})
		air.Capture = func(at emu.Time, b []byte) { p.Frame(0, at, b) }
		net.Capture = func(at emu.Time, b []byte) { p.Frame(1, at, b) }
		net.Keys = p.TLSKeys
	}
	network, err := lan.New(net)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "network")
	}
	s.closers = append(s.closers, func() error { network.Close(); return nil })
	band := radio.NewMedium(air)
	ap, err := radio.NewAccessPoint(radio.Config{
		SSID: o.ssid, Passphrase: o.passphrase, Channel: o.channel, Seed: o.Seed, DS: network, Faults: schedule,
	})
	if err != nil {
		return fault.Wrap(fault.Usage, err, "", "[net] ssid and passphrase in "+project.FileName+" say what the emulated access point has")
	}
	band.Add(ap)
	s.radio = band.Antenna()
	return nil
}

// openUplink lets the board out, and this machine in, if that is wanted.
func (a *app) openUplink(s *scene, o airOptions, net *lan.Config) error {
	if o.Net == "isolated" && len(o.Forward) == 0 {
		return nil
	}
	cfg := uplink.Config{Out: o.Net == "host", Log: func(line string) { a.ui.Debugf("out: %s", line) }}
	for _, text := range o.Forward {
		f, err := parseForward(text)
		if err != nil {
			return err
		}
		cfg.Forward = append(cfg.Forward, f)
	}
	u, err := uplink.New(cfg)
	if err != nil {
		return fault.Wrap(fault.Port, err, "", "another port: --forward 127.0.0.1:0:80 takes one that is free")
	}
	s.closers = append(s.closers, func() error { u.Close(); return nil })
	net.Uplink, net.Isolated = u, !cfg.Out
	if cfg.Out {
		a.ui.Note("the board reaches the network of this machine (--net host); the run is not reproducible without --record")
	}
	for i, addr := range u.Addrs() {
		a.ui.Note("%s leads to port %d of the board", addr, cfg.Forward[i].Port)
	}
	return nil
}

// folder opens a folder whose links cannot lead out of it.
func (s *scene) folder(dir string) (fs.FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, openError(dir, err)
	}
	s.closers = append(s.closers, root.Close)
	return root.FS(), nil
}

func parseHosts(list []string) (map[string]netip.Addr, error) {
	out := map[string]netip.Addr{}
	for _, text := range list {
		name, ip, ok := strings.Cut(text, "=")
		addr, err := netip.ParseAddr(ip)
		if !ok || name == "" || err != nil {
			return nil, fault.New(fault.Usage, fmt.Sprintf("--host %s: want a name and an address", text), "espalier run --host nas.home=192.0.2.9")
		}
		out[strings.TrimSuffix(strings.ToLower(name), ".")] = addr
	}
	return out, nil
}

// parseForward reads [ADDR:]PORT:GUEST. Without an address only this machine
// gets in.
func parseForward(text string) (uplink.Forward, error) {
	bad := fault.New(fault.Usage, fmt.Sprintf("--forward %s: want a port of this machine and one of the board", text), "espalier run --forward 8080:80")
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return uplink.Forward{}, bad
	}
	guest, err := strconv.ParseUint(text[i+1:], 10, 16)
	if err != nil || guest == 0 {
		return uplink.Forward{}, bad
	}
	here := text[:i]
	if !strings.Contains(here, ":") {
		here = "127.0.0.1:" + here
	}
	if _, err := netip.ParseAddrPort(here); err != nil {
		return uplink.Forward{}, bad
	}
	return uplink.Forward{Listen: here, Port: uint16(guest)}, nil
}

// finishScene writes the end of a recording, or compares the run with the one that
// was recorded.
func (a *app) finishScene(s *scene, w *watch, asked error) error {
	if s.record != nil {
		err := s.record.Finish(w.board.Inputs(), recording.End{At: emu.At(w.board.Now()), Instructions: w.instructions, Trace: w.trace})
		if e := s.Close(); err == nil {
			err = e
		}
		if err != nil && asked == nil {
			return fault.Wrap(fault.Usage, err, "recording the run")
		}
		return asked
	}
	if s.replay == nil {
		return asked
	}
	if s.player != nil && s.player.Err() != nil {
		return fault.Wrap(fault.Differ, s.player.Err(), "", "the recording may be of another version of espalier")
	}
	end := s.replay.End
	switch {
	case end == (recording.End{}):
		a.ui.Note("the recording has no end; up to here the run is the same")
	case w.instructions != end.Instructions || emu.At(w.board.Now()) != end.At:
		a.ui.Note("the recording goes on to %s; up to here the run is the same", end.At)
	case w.trace != end.Trace:
		return fault.New(fault.Differ, fmt.Sprintf("replay differs: trace %016x, recorded %016x", w.trace, end.Trace), "the recording may be of another version of espalier")
	default:
		a.ui.Note("the run is the recorded one: %d instructions, trace %016x", end.Instructions, end.Trace)
	}
	return asked
}
