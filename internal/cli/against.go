package cli

import (
	"context"
	"strings"

	"espalier.dev/espalier/esp/image"
	"espalier.dev/espalier/internal/flashing"
	"espalier.dev/espalier/internal/ports"
)

// against compares the project's firmware with a file, an address or a board.
func against(ctx context.Context, a *app, o verifyOptions) error {
	w, err := a.open(ctx, o.work)
	if err != nil {
		return err
	}
	defer w.Close()
	return w.Against(ctx, o.Against, func(own *image.Flash) ([]byte, error) {
		switch name := o.Against; {
		case strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"):
			return w.Download(ctx, name)
		case ports.IsPort(name):
			return boardContent(ctx, a, name, own)
		default:
			return a.readInput(ctx, name)
		}
	})
}

// boardContent returns the content of a board's flash; what is as in own is not read.
func boardContent(ctx context.Context, a *app, port string, own *image.Flash) (content []byte, err error) {
	o := portOptions{Port: port, Before: "default-reset", After: "hard-reset"}
	st, err := a.stub(ctx, o)
	if err != nil {
		return nil, err
	}
	b, err := connectBoard(ctx, a, o, st)
	if err != nil {
		return nil, err
	}
	_, size, err := flashing.Region{All: true}.Resolve(ctx, b.Loader)
	if err == nil {
		content, err = flashing.Content(ctx, b.Loader, own.Trimmed(), size, a.ui)
	}
	return content, b.Close(ctx, err)
}
