package session

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"espalier.dev/espalier/emu/faults"
	"espalier.dev/espalier/emu/lan/uplink"
	"espalier.dev/espalier/emu/radio"
	"espalier.dev/espalier/emu/testbed"
	"espalier.dev/espalier/internal/fault"
)

// Setting is a value as the user wrote it, and where: "--fault" or
// "espalier.toml:12:1".
type Setting struct {
	Text string
	From string
}

// Settings are what surrounds an emulated board, and what is recorded of the
// run, as the user wrote it. Parse checks them; nothing is opened.
type Settings struct {
	Net        Setting   // isolated, host or none; "" is isolated
	SSID       Setting   // of the emulated access point
	Passphrase Setting   // WPA2; "" is an open network
	Channel    int       // 1 to 13
	Forward    []Setting // [ADDR:]PORT:GUEST
	Serve      Setting   // directory for http://espalier.lan/
	Hosts      []Setting // NAME=IP
	Faults     []Setting // see package faults
	Seed       uint64
	Record     string // file for a recording
	Replay     string // recording to repeat
	Capture    string // file for a pcapng capture
}

// Environment is Settings that have been checked.
type Environment struct {
	network    testbed.Network
	ssid       string
	passphrase string
	channel    int
	forward    []uplink.Forward
	serve      string
	hosts      map[string]netip.Addr
	faults     faults.Schedule
	seed       uint64
	record     string
	replay     string
	capture    string
}

// RealTime reports whether programs outside take part, whose time is real.
func (e *Environment) RealTime() bool {
	return e.replay == "" && (e.network == testbed.Host || len(e.forward) > 0)
}

// Replays reports whether a recording is repeated.
func (e *Environment) Replays() bool { return e.replay != "" }

// Parse checks all settings. The error is a fault.Usage that begins with the
// place of the setting.
func (s Settings) Parse() (*Environment, error) {
	e := &Environment{
		ssid: s.SSID.Text, passphrase: s.Passphrase.Text, channel: s.Channel,
		serve: s.Serve.Text, hosts: map[string]netip.Addr{}, seed: s.Seed,
		record: s.Record, replay: s.Replay, capture: s.Capture,
	}
	if s.Net.Text == "island" {
		return nil, s.Net.wrong("this mode is now called isolated", "espalier run --net isolated")
	}
	if s.Net.Text != "" {
		var ok bool
		if e.network, ok = testbed.ParseNetwork(s.Net.Text); !ok {
			return nil, s.Net.wrong("want isolated, host or none")
		}
	}
	if e.replay != "" && (e.record != "" || e.capture != "") {
		return nil, fault.New(fault.Usage, "--replay repeats the board's side of a run: it excludes --record and --pcap")
	}
	if err := e.parseLists(s); err != nil {
		return nil, err
	}
	if err := s.checkAccessPoint(); err != nil {
		return nil, err
	}
	return e, checkFiles(s)
}

func (e *Environment) parseLists(s Settings) error {
	for _, f := range s.Faults {
		if _, err := faults.Parse(f.Text); err != nil {
			return fault.Wrap(fault.Usage, err, f.From, "espalier run --fault 'at 2s deauth'")
		}
	}
	var err error
	if e.faults, err = faults.ParseAll(texts(s.Faults)); err != nil {
		return fault.Wrap(fault.Usage, err, s.Faults[0].From)
	}
	for _, h := range s.Hosts {
		name, ip, ok := strings.Cut(h.Text, "=")
		addr, err := netip.ParseAddr(ip)
		if !ok || name == "" || err != nil {
			return h.wrong("want a name and an address", "espalier run --host nas.home=192.0.2.9")
		}
		e.hosts[strings.TrimSuffix(strings.ToLower(name), ".")] = addr
	}
	for _, f := range s.Forward {
		forward, ok := parseForward(f.Text)
		if !ok {
			return f.wrong("want [ADDR:]PORT:GUEST, a port of this machine and one of the board",
				"espalier run --forward 8080:80")
		}
		e.forward = append(e.forward, forward)
	}
	return nil
}

// checkAccessPoint makes an access point of the settings, to see whether that
// is possible.
func (s Settings) checkAccessPoint() error {
	_, err := radio.NewAccessPoint(radio.Config{SSID: s.SSID.Text, Passphrase: s.Passphrase.Text, Channel: s.Channel})
	if err == nil {
		return nil
	}
	from := s.SSID.From
	if _, e := radio.NewAccessPoint(radio.Config{SSID: "x", Passphrase: s.Passphrase.Text}); e != nil {
		from = s.Passphrase.From
	}
	return fault.Wrap(fault.Usage, err, from, "[net] ssid and passphrase in espalier.toml set the emulated network")
}

// checkFiles looks for the files and directories that the run will need.
func checkFiles(s Settings) error {
	if s.Serve.Text != "" {
		if st, err := os.Stat(s.Serve.Text); err != nil {
			return fault.Wrap(fault.Usage, fault.Opening(s.Serve.Text, err), s.Serve.From)
		} else if !st.IsDir() {
			return s.Serve.wrong("not a directory")
		}
	}
	if s.Replay != "" {
		if _, err := os.Stat(s.Replay); err != nil {
			return fault.Opening(s.Replay, err)
		}
	}
	for _, name := range []string{s.Record, s.Capture} {
		if err := CheckCreate(name); err != nil {
			return err
		}
	}
	return nil
}

// CheckCreate returns why a file cannot be created at all: it is a directory,
// or its directory does not exist. It creates nothing. An empty name is fine.
func CheckCreate(name string) error {
	if name == "" {
		return nil
	}
	if st, err := os.Stat(name); err == nil && st.IsDir() {
		return fault.Opening(name, errors.New("is a directory"))
	} else if err == nil {
		return nil
	}
	st, err := os.Stat(filepath.Dir(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fault.Opening(name, errors.New("the directory does not exist"))
	case err == nil && !st.IsDir():
		return fault.Opening(name, fmt.Errorf("%s is not a directory", filepath.Dir(name)))
	}
	return nil
}

// wrong is the error of a setting.
func (s Setting) wrong(want string, hints ...string) error {
	return fault.New(fault.Usage, strings.TrimSpace(fmt.Sprintf("%s %s: %s", s.From, s.Text, want)), hints...)
}

func texts(list []Setting) []string {
	var out []string
	for _, s := range list {
		out = append(out, s.Text)
	}
	return out
}

// parseForward reads [ADDR:]PORT:GUEST. Without an address only this machine can
// connect.
func parseForward(text string) (uplink.Forward, bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return uplink.Forward{}, false
	}
	guest, err := strconv.ParseUint(text[i+1:], 10, 16)
	if err != nil || guest == 0 {
		return uplink.Forward{}, false
	}
	host := text[:i]
	if !strings.Contains(host, ":") {
		host = "127.0.0.1:" + host
	}
	if _, err := netip.ParseAddrPort(host); err != nil {
		return uplink.Forward{}, false
	}
	return uplink.Forward{Listen: host, Port: uint16(guest)}, true
}
