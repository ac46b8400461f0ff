package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/serial"
)

type servePortOptions struct {
	Listen string
	Baud   int
}

func newServePort(a *app) *cobra.Command {
	var o servePortOptions
	cmd := &cobra.Command{
		Use:   "serve-port [PORT]",
		Short: "share a board's serial port over the network",
		Long: `Let others use a serial port of this machine: with rfc2217:// including speed and
modem lines, so that they can reset and flash the board, with tcp:// as bare bytes.
One client at a time. The address is printed. A port that vanishes is waited for.

Every client that can connect can replace the firmware: there is no password. The default
address is reachable from this machine only; use a tunnel to go further.` + exits(fault.Port),
		Example: `  espalier serve-port /dev/ttyUSB0 --listen rfc2217://127.0.0.1:4000
  espalier flash --port rfc2217://127.0.0.1:4000     elsewhere, through a tunnel`,
		Args: args("[PORT]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			name := ""
			if len(names) == 1 {
				name = names[0]
			}
			return a.servePort(cmd.Context(), name, o)
		},
	}
	cmd.Flags().StringVar(&o.Listen, "listen", "rfc2217://127.0.0.1:0", "`ADDRESS` to listen at; port 0 takes a free one")
	cmd.Flags().IntVar(&o.Baud, "baud", serial.DefaultBaud, "speed of the port at the start in `BITS` per second")
	return cmd
}

// listen opens the address of a URL and prints what it got.
func (a *app) listen(ctx context.Context, url string) (l serial.Listener, rfc2217 bool, err error) {
	if err := checkListen(url); err != nil {
		return nil, false, err
	}
	scheme, addr, _ := strings.Cut(url, "://")
	l, err = serial.Listen(ctx, addr)
	if err != nil {
		return nil, false, fault.Wrap(fault.Port, err, "listening at "+url)
	}
	a.announce(scheme + "://" + l.Addr().String())
	return l, scheme == "rfc2217", nil
}

// checkListen refuses an address that listen does not know.
func checkListen(url string) error {
	if scheme, _, ok := strings.Cut(url, "://"); !ok || scheme != "tcp" && scheme != "rfc2217" {
		return fault.New(fault.Usage, url+": want tcp://HOST:PORT or rfc2217://HOST:PORT", "rfc2217://127.0.0.1:0 takes a free port")
	}
	return nil
}

// announce prints where a port can be found.
func (a *app) announce(port string) {
	a.ui.Event("serve", struct {
		Port string `json:"port"`
	}{port})
	a.ui.Printf("%s", port)
}

// portReturns is how long a vanished port is waited for.
const portReturns = time.Hour

func (a *app) servePort(ctx context.Context, name string, o servePortOptions) error {
	if err := checkListen(o.Listen); err != nil {
		return err
	}
	name, err := choosePort(a, name)
	if err != nil {
		return err
	}
	opt := serial.Options{Baud: o.Baud}
	p, err := serial.Open(ctx, name, opt)
	if err != nil {
		return portFault(err)
	}
	defer func() { p.Close() }()
	l, rfc2217, err := a.listen(ctx, o.Listen)
	if err != nil {
		return err
	}
	addr := l.Addr().String()
	for {
		s := serial.Server{Port: p, RFC2217: rfc2217, Event: func(text string) { a.ui.Note("%s", text) }}
		err := s.Serve(ctx, l)
		var gone *serial.GoneError
		if !errors.As(err, &gone) {
			return err
		}
		a.ui.Note("%v; waiting for it", gone)
		info := p.Info()
		p.Close()
		back, err := serial.Reopen(ctx, info, opt, portReturns)
		if err != nil {
			return portFault(err)
		}
		p = back
		a.ui.Note("%s is back", p.Info().Name)
		if l, err = serial.Listen(ctx, addr); err != nil {
			return fault.Wrap(fault.Port, err, "listening again")
		}
	}
}
