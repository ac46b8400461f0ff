// Package doctor checks what a build needs of this machine and of a project: a
// sandbox, a store with enough space, a supplier of the compiler, pins. It
// changes nothing and uses no network, except for a question to the shared cache
// when one is configured.
package doctor

import (
	"context"

	"espalier.dev/espalier/internal/action"
	"espalier.dev/espalier/internal/project"
	"espalier.dev/espalier/internal/remote"
	"espalier.dev/espalier/internal/store"
)

// Finding is the result of one check.
type Finding struct {
	What  string   `json:"what"`
	OK    bool     `json:"ok"`
	Text  string   `json:"text"`            // "": that of Err
	Hints []string `json:"hints,omitempty"` // nil: those of Err

	// Err is why the check failed; nil when OK.
	Err error `json:"-"`
}

// Subject is what is checked.
type Subject struct {
	Dir     string // in or below a project, or outside of any
	Options project.Options

	// Settings opens the configuration without the files of a project.
	Settings func() (*project.Project, error)
	// OpenStore opens the store of a configuration.
	OpenStore func(context.Context, project.Config) (*store.Store, error)
	// OpenCache returns the shared cache; nil offline.
	OpenCache func(project.RemoteConfig) (*remote.Cache, error)

	OpenCluster func(project.RemoteConfig, action.Executor) (*remote.Cluster, error)
}

// Check does all checks. The error is that of ctx.
func Check(ctx context.Context, s Subject) ([]Finding, error) {
	checks := []func(context.Context) Finding{s.checkSandbox, s.checkStore, s.checkSupplier, s.checkProject}
	var out []Finding
	for _, check := range checks {
		out = append(out, check(ctx))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	if f, ok := s.checkCluster(ctx); ok {
		out = append(out, f)
	}
	if f, ok := s.checkCache(ctx); ok {
		out = append(out, f)
	}
	return out, ctx.Err()
}
