package serial

import (
	"context"
	"time"
)

// stream is a file or connection with deadlines; its methods are those of Port
// that every port with a file descriptor shares.
type stream struct {
	file interface {
		Read([]byte) (int, error)
		Write([]byte) (int, error)
		SetReadDeadline(time.Time) error
		SetWriteDeadline(time.Time) error
		Close() error
	}
	info  Info
	start time.Time
}

// writeTimeout bounds how long the system may keep a write: at 9600 baud a
// block of 16 KiB takes 17 s.
const writeTimeout = 30 * time.Second

// past is a deadline that makes a call in progress return.
func past() time.Time { return time.Unix(1, 0) }

func (s *stream) Read(ctx context.Context, p []byte, timeout time.Duration) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := s.file.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return 0, ioError(ctx, s.info.Name, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.file.SetReadDeadline(past()) })
	defer stop()
	n, err := s.file.Read(p)
	if n > 0 {
		return n, nil
	}
	return 0, ioError(ctx, s.info.Name, err)
}

func (s *stream) Write(ctx context.Context, p []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.file.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return ioError(ctx, s.info.Name, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = s.file.SetWriteDeadline(past()) })
	defer stop()
	_, err := s.file.Write(p)
	return ioError(ctx, s.info.Name, err)
}

// Wait implements Port, by the host's clock.
func (s *stream) Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *stream) Now() time.Duration { return time.Since(s.start) }

func (s *stream) Info() Info { return s.info }

func (s *stream) Close() error { return s.file.Close() }
