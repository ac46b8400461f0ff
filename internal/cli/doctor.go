package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"espalier.dev/espalier/internal/command"
	"espalier.dev/espalier/internal/doctor"
	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/project"
)

type doctorOptions struct {
	Config bool
}

func newDoctor(a *app) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "check this machine and the project, with remedies",
		Long: `Check what a build needs of this machine: a sandbox, a place for the store, a
supplier of the compiler, the pins of the project, the shared cache if one is
configured. Nothing is changed, and no other server is asked. With --config, print every setting, its value and where it
came from instead.` + command.Exits(fault.Pins, fault.Sandbox),
		Args: command.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Config {
				return a.doctorConfig()
			}
			return a.doctor(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&o.Config, "config", false, "print all settings with their origin")
	return cmd
}

func (a *app) doctor(ctx context.Context) error {
	findings, err := doctor.Check(ctx, doctor.Subject{
		Dir:         a.projectDir(),
		Options:     a.opener().Options(project.Flags{}),
		Settings:    func() (*project.Project, error) { return a.settings(project.Flags{}) },
		OpenStore:   a.opener().OpenStore,
		OpenCache:   a.opener().Cache,
		OpenCluster: a.opener().Cluster,
	})
	if err != nil {
		return err
	}
	return doctor.Print(a.ui, findings, command.Classify)
}

// doctorConfig prints every setting.
func (a *app) doctorConfig() error {
	settings := []doctor.Setting{}
	for _, g := range []struct {
		name, env, value, flag string
	}{
		{"offline", "ESPALIER_OFFLINE", fmt.Sprint(a.global.Offline), "offline"},
		{"project", "ESPALIER_PROJECT", a.projectDir(), "project"},
	} {
		s := doctor.Setting{Name: g.name, Env: g.env, Value: g.value, Origin: "default"}
		if v, ok := a.lookup(g.env); ok && v != "" {
			s.Origin = "environment " + g.env
		}
		if a.given[g.flag] {
			s.Origin = "flag --" + g.flag
		}
		settings = append(settings, s)
	}
	p, err := a.settings(project.Flags{})
	if err != nil {
		return err
	}
	for _, e := range p.Espalier.Explain() {
		settings = append(settings, doctor.Setting{Name: e.Name, Env: e.Env, Value: e.Value, Origin: e.Origin.String()})
	}
	doctor.PrintSettings(a.ui, settings)
	return nil
}
