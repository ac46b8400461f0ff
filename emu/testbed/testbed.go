package testbed

import (
	"fmt"
	"net/netip"
	"strings"

	"espalier.dev/espalier/emu"
	"espalier.dev/espalier/emu/c3"
	"espalier.dev/espalier/emu/lan"
	"espalier.dev/espalier/emu/lan/uplink"
	"espalier.dev/espalier/emu/pcap"
	"espalier.dev/espalier/emu/radio"
	"espalier.dev/espalier/emu/recording"
)

// Testbed is an assembled board.
type Testbed struct {
	// Board is the board that New made; nil after Prepare.
	Board *emu.Board
	// Config is what the board is made of, with its radio medium and recorded
	// inputs. A caller of Prepare makes the board of it.
	Config emu.Config
	// AccessPoint is nil when there is none.
	AccessPoint *radio.AccessPoint

	parts    []emu.Part
	network  *lan.Network
	uplink   *uplink.Uplink
	capture  *pcap.Writer
	recorder *recording.Recorder
	recorded *recording.Recording
	replay   *recording.Replay
}

// New assembles a board. Errors are those of c3.New and of Prepare.
func New(cfg Config) (*Testbed, error) {
	t, err := Prepare(cfg)
	if err != nil {
		return nil, err
	}
	if t.Board, err = c3.New(t.Config); err == nil {
		err = t.Attach(t.Board)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Prepare assembles everything but the board, for a caller that makes the board
// of Testbed.Config itself and then calls Attach. Errors are a
// *radio.ConfigError, a *MismatchError, a *NetworkError, and errors of reading
// Replay.
func Prepare(cfg Config) (*Testbed, error) {
	t := &Testbed{Config: cfg.Board, parts: cfg.Parts}
	if cfg.SSID == "" {
		cfg.SSID, cfg.Passphrase = DefaultSSID, DefaultPassphrase
	}
	var err error
	switch {
	case cfg.Replay != nil:
		err = t.openReplay(&cfg)
	case cfg.Board.Radio == nil && cfg.Network != None:
		err = t.openNetwork(&cfg)
	}
	if err != nil {
		t.Close()
		return nil, err
	}
	if cfg.Record != nil && cfg.Replay == nil {
		t.openRecording(&cfg)
	}
	return t, nil
}

// Attach attaches the parts to a board that was made of t.Config, before it runs.
func (t *Testbed) Attach(b *emu.Board) error {
	for _, p := range t.parts {
		if err := p.Attach(b); err != nil {
			return fmt.Errorf("attaching %T: %w", p, err)
		}
	}
	return nil
}

// openNetwork makes the access point and its network.
func (t *Testbed) openNetwork(cfg *Config) error {
	n := lan.Config{
		Seed: cfg.Board.Seed, Faults: cfg.Faults, Names: cfg.Names, Handlers: cfg.Hosts, Files: cfg.Files, Epoch: cfg.Epoch,
	}
	if cfg.Log != nil {
		n.Log = func(at emu.Time, line string) { cfg.Log(at.Duration(), line) }
	}
	if cfg.Warn != nil {
		n.Warn = func(_ emu.Time, reason string) { cfg.Warn(reason) }
	}
	medium := radio.MediumConfig{}
	if cfg.Capture != nil {
		epoch := cfg.Epoch
		if epoch.IsZero() {
			epoch = lan.DefaultEpoch()
		}
		t.capture = pcap.NewWriter(cfg.Capture, epoch,
			pcap.Interface{Name: "wlan", Link: pcap.Radiotap}, pcap.Interface{Name: "lan", Link: pcap.Ethernet})
		medium.Capture = func(at emu.Time, frame []byte) { t.capture.Frame(0, at, frame) }
		n.Capture = func(at emu.Time, frame []byte) { t.capture.Frame(1, at, frame) }
		n.Keys = t.capture.TLSKeys
	}
	if cfg.Network == Host || len(cfg.Forward) > 0 {
		u := uplink.Config{Out: cfg.Network == Host, Forward: cfg.Forward}
		if cfg.Log != nil {
			u.Log = func(line string) { cfg.Log(0, line) }
		}
		var err error
		if t.uplink, err = uplink.New(u); err != nil {
			return &NetworkError{err}
		}
		n.Uplink, n.Isolated = t.uplink, !u.Out
	}
	var err error
	if t.network, err = lan.New(n); err != nil {
		return &NetworkError{err}
	}
	t.AccessPoint, err = radio.NewAccessPoint(radio.Config{
		SSID: cfg.SSID, Passphrase: cfg.Passphrase, Channel: cfg.Channel,
		Seed: cfg.Board.Seed, DS: t.network, Faults: cfg.Faults,
	})
	if err != nil {
		return err
	}
	m := radio.NewMedium(medium)
	m.Add(t.AccessPoint)
	t.Config.Radio = m.Antenna()
	return nil
}

func (t *Testbed) openRecording(cfg *Config) {
	h := recording.NewHeader(cfg.Board)
	note := []string{fmt.Sprintf("network %s", cfg.Network)}
	if t.AccessPoint != nil {
		note = append(note, fmt.Sprintf("ssid %q, channel %d", cfg.SSID, max(cfg.Channel, 1)))
	}
	if len(cfg.Faults) > 0 {
		note = append(note, strings.Split(cfg.Faults.String(), "\n")...)
	}
	if cfg.Note != "" {
		note = append(note, cfg.Note)
	}
	h.Note = strings.Join(note, "; ")
	t.recorder = recording.NewRecorder(cfg.Record, h, t.Config.Radio)
	if t.Config.Radio != nil {
		t.Config.Radio = t.recorder
	}
}

// Forwarded returns the addresses of this machine that lead to the board, in the
// order of Config.Forward.
func (t *Testbed) Forwarded() []netip.AddrPort {
	if t.uplink == nil {
		return nil
	}
	var out []netip.AddrPort
	for _, a := range t.uplink.Addrs() {
		if addr, err := netip.ParseAddrPort(a.String()); err == nil {
			out = append(out, addr)
		}
	}
	return out
}

// RealTime reports whether sockets of this machine take part: their peers expect
// guest time to pass as real time does.
func (t *Testbed) RealTime() bool { return t.uplink != nil }

// Close closes the network and its sockets. It returns the first error of
// writing the capture.
func (t *Testbed) Close() error {
	if t.network != nil {
		t.network.Close()
		t.network = nil
	}
	if t.uplink != nil {
		t.uplink.Close()
	}
	if t.capture != nil {
		if err := t.capture.Err(); err != nil {
			return fmt.Errorf("writing capture: %w", err)
		}
	}
	return nil
}

// NetworkError is a network that cannot be opened, such as a forwarded port of
// this machine that is in use.
type NetworkError struct{ Err error }

func (e *NetworkError) Error() string { return "opening network: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *NetworkError) Unwrap() error { return e.Err }
