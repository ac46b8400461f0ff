package doctor

import (
	"context"
	"time"

	"espalier.dev/espalier/internal/fault"
)

// askTimeout bounds the question to a server of [remote].
const askTimeout = 10 * time.Second

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
		return notUsed(what, where), true
	}
	return ask(ctx, what, where, "builds go on without it", c.Check), true
}

// notUsed is the finding about a server of [remote] that --offline switches off.
func notUsed(what, where string) Finding {
	return Finding{What: what, OK: true, Text: where + "; not used with --offline"}
}

// ask asks a server of [remote] what it supports. without is what happens when it
// cannot be used.
func ask(ctx context.Context, what, where, without string, check func(context.Context) (string, error)) Finding {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	text, err := check(ctx)
	if err != nil {
		return Finding{What: what, Text: where + ": " + err.Error() + "; " + without,
			Hints: []string{"espalier doctor --config   # where each value of [remote] comes from"}, Err: fault.Wrap(fault.Usage, err, "asking the "+what)}
	}
	return Finding{What: what, OK: true, Text: where + ": " + text}
}
