package doctor

import (
	"context"
	"strings"

	"espalier.dev/espalier/internal/sandbox"
)

func (s Subject) checkSandbox(ctx context.Context) Finding {
	const what = "sandbox"
	r := sandbox.Probe(ctx)
	if !r.OK {
		text := r.Err.Error()
		for _, c := range r.Checks {
			if !c.OK {
				text += " (" + c.Name + ")"
			}
		}
		return Finding{What: what, Text: text, Err: r.Err}
	}
	var names []string
	for _, c := range r.Checks {
		names = append(names, c.Name)
	}
	return Finding{What: what, OK: true, Text: strings.Join(append(names, r.Notes...), ", ")}
}
