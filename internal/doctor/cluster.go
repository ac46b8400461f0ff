package doctor

import "context"

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
		return notUsed(what, where), true
	}
	return ask(ctx, what, where, "steps run on this machine", c.Check), true
}
