package doctor

import (
	"context"
	"runtime"

	"espalier.dev/espalier/internal/fault"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/supply/debian"
)

func (s Subject) checkSupplier(context.Context) Finding {
	const what = "compiler"
	if runtime.GOOS != "linux" {
		return Finding{What: what, Text: "the steps of a build run on Linux; on " + runtime.GOOS + " espalier emulates, flashes and inspects",
			Err: fault.New(fault.Sandbox, "not Linux")}
	}
	cfg := debian.Config{Host: runtime.GOOS + "/" + runtime.GOARCH}
	p, err := s.Settings()
	if err != nil {
		return Finding{What: what, Err: err}
	}
	cfg.Prefixes = p.Espalier.Supply.Prefixes.V
	cfg.Sources = pin.SourcesOf(p.Espalier.Supply)
	sup, err := debian.Discover("/", cfg)
	if err != nil {
		return Finding{What: what, Err: err}
	}
	return Finding{What: what, OK: true, Text: "from " + sup.String()}
}
