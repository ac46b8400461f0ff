package cli

import (
	"bytes"
	"context"
	"strings"

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
	var other []byte
	switch name := o.Against; {
	case strings.HasPrefix(name, "http://"), strings.HasPrefix(name, "https://"):
		other, err = w.Download(ctx, name)
	case ports.IsPort(name):
		other, err = boardContent(ctx, a, name)
	default:
		other, err = a.readInput(ctx, name)
	}
	if err != nil {
		return err
	}
	return w.Against(ctx, o.Against, other)
}

// boardContent reads the whole flash of a board.
func boardContent(ctx context.Context, a *app, port string) ([]byte, error) {
	o := portOptions{Port: port, Before: "default-reset", After: "hard-reset"}
	st, err := a.stub(ctx, o)
	if err != nil {
		return nil, err
	}
	b, err := connectBoard(ctx, a, o, st)
	if err != nil {
		return nil, err
	}
	var content bytes.Buffer
	offset, size, err := flashing.Region{All: true}.Resolve(ctx, b.Loader)
	if err == nil {
		err = flashing.Read(ctx, b.Loader, &content, offset, size, a.ui)
	}
	return content.Bytes(), b.Close(ctx, err)
}
