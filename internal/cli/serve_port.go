package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/internal/ui"
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
address is reachable from this machine only; use a tunnel to go further.` + command.Exits(fault.Port),
		Example: `  espalier serve-port /dev/ttyUSB0 --listen rfc2217://127.0.0.1:4000
  espalier flash --port rfc2217://127.0.0.1:4000     elsewhere, through a tunnel`,
		Args: command.Args("[PORT]"),
		RunE: func(cmd *cobra.Command, names []string) error {
			name := ""
			if len(names) == 1 {
				name = names[0]
			}
			return servePort(cmd.Context(), a, name, o)
		},
	}
	cmd.Flags().StringVar(&o.Listen, "listen", "rfc2217://127.0.0.1:0", "`ADDRESS` to listen at; port 0 takes a free one")
	cmd.Flags().IntVar(&o.Baud, "baud", serial.DefaultBaud, "speed of the port at the start in `BITS` per second")
	return cmd
}

// announcePort prints where a shared port can be opened.
func announcePort(out *ui.UI) func(port string) {
	return func(port string) {
		out.Event("serve", serveEvent{port})
		out.Printf("%s", port)
	}
}

// portReturns is how long a vanished port is waited for.
const portReturns = time.Hour

func servePort(ctx context.Context, a *app, name string, o servePortOptions) error {
	if err := session.CheckShare(o.Listen); err != nil {
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
	defer p.Close()
	note := func(text string) { a.ui.Note("%s", text) }
	return portFault(session.SharePort(ctx, p, session.Sharing{
		Address: o.Listen, Announce: announcePort(a.ui), Event: note, Note: note,
		Reopen: func(ctx context.Context, was serial.Info) (serial.Port, error) {
			return serial.Reopen(ctx, was, opt, portReturns)
		},
	}))
}
