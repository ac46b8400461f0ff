package doctor

import (
	"context"
	"time"

	"espalier.dev/espalier/internal/fault"
)

// cacheTimeout bounds the question to the shared cache.
const cacheTimeout = 10 * time.Second

// checkCache asks the shared cache what it supports; false when none is
// configured.
func (s Subject) checkCache(ctx context.Context) (Finding, bool) {
	const what = "cache"
	p, err := s.Settings()
	if err != nil || p.Espalier.Remote.Cache.V == "" {
		return Finding{}, false // the check of the store has the error
	}
	cfg := p.Espalier.Remote
	where := cfg.Cache.V + " (" + cfg.Cache.Origin.String() + "), " + cfg.Mode.V
	c, err := s.OpenCache(cfg)
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
		return Finding{What: what, Text: where + ": " + err.Error() + "; builds go on without it",
			Hints: []string{"espalier doctor --config   # where each value of [remote] comes from"}, Err: fault.Wrap(fault.Usage, err, "asking the cache")}, true
	}
	return Finding{What: what, OK: true, Text: where + ": " + text}, true
}
