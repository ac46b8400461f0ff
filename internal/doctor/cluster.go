package doctor

import (
	"context"

	"espalier.dev/espalier/internal/fault"
)

// checkCluster asks the cluster that runs steps whether it does; false when none
// is configured.
func (s Subject) checkCluster(ctx context.Context) (Finding, bool) {
	const what = "cluster"
	p, err := s.Settings()
	if err != nil || p.Espalier.Remote.Execute.V == "" {
		return Finding{}, false // the check of the store has the error
	}
	cfg := p.Espalier.Remote
	where := cfg.Execute.V + " (" + cfg.Execute.Origin.String() + ")"
	c, err := s.OpenCluster(cfg, nil)
	if err != nil {
		return Finding{What: what, Err: err}, true
	}
	if c == nil {
		return Finding{What: what, OK: true, Text: where + "; not used with --offline"}, true
	}
	ctx, cancel := context.WithTimeout(ctx, cacheTimeout)
	defer cancel()
	text, err := c.Check(ctx)
	if err != nil {
		return Finding{What: what, Text: where + ": " + err.Error() + "; steps run on this machine",
			Hints: []string{"espalier doctor --config   # where each value of [remote] comes from"}, Err: fault.Wrap(fault.Usage, err, "asking the cluster")}, true
	}
	return Finding{What: what, OK: true, Text: where + ": " + text}, true
}
