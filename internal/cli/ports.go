package cli

import (
	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/ports"
	"espalier.dev/espalier/serial"
)

type portsOptions struct {
	Use    string
	Forget bool
}

func newPorts(a *app) *cobra.Command {
	var o portsOptions
	cmd := &cobra.Command{
		Use:     "ports",
		Aliases: []string{"list-ports"},
		Short:   "list serial ports; remember one for the project",
		Long: `List the serial ports of this machine, boards first, with the probable chip of each.
--use remembers one for this project, by the serial number of its USB device, so that
the device may change its name. A port that you may not open is marked, and the
command that changes this is printed.` + command.Exits(fault.Port),
		Example: `  espalier ports
  espalier ports --use /dev/ttyACM0`,
		Args: command.Args(),
		RunE: func(*cobra.Command, []string) error {
			switch {
			case o.Forget:
				return ports.Forget(a.projectDir())
			case o.Use != "":
				return usePort(a, o.Use)
			}
			return listPorts(a)
		},
	}
	cmd.Flags().StringVar(&o.Use, "use", "", "remember `PORT` for this project")
	cmd.Flags().BoolVar(&o.Forget, "forget", false, "forget the remembered port")
	cmd.MarkFlagsMutuallyExclusive("use", "forget")
	return cmd
}

func listPorts(a *app) error {
	list, err := serial.List()
	if err != nil {
		return fault.Wrap(fault.Port, err, "listing serial ports")
	}
	if len(list) == 0 {
		a.ui.Note("no serial ports")
		a.ui.Hints("connect a board with a data cable", "without one: espalier run uses the emulated board")
		return nil
	}
	l := ports.List(a.projectDir(), list, serial.Access)
	for _, p := range l.Ports {
		a.ui.Event("port", p)
	}
	a.ui.Table(l.Table())
	if which := l.Denied(); which != "" {
		a.ui.Note("you may not open %s", which)
		a.ui.Hints(l.Remedies...)
	}
	return nil
}

// usePort remembers a port for the project.
func usePort(a *app, name string) error {
	list, err := serial.List()
	if err != nil {
		a.ui.Debugf("listing serial ports: %v", err)
	}
	if err := ports.Remember(a.projectDir(), name, list); err != nil {
		return err
	}
	a.ui.Note("%s is the port of this project from now on", name)
	return nil
}
