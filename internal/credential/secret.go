package credential

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Command runs a program that prints a secret, such as a password manager, in dir
// and returns the first line of its output. The program has no input, and its error
// output is not shown: either might repeat the secret.
func Command(ctx context.Context, dir string, argv []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	out, err := run(cmd)
	if err != nil {
		if ctx.Err() == context.DeadlineExceeded {
			err = fmt.Errorf("no answer within %s", timeout)
		}
		return "", fmt.Errorf("%s: %w", argv[0], err)
	}
	return firstLine(out)
}

// File returns the first line of a file.
func File(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b := make([]byte, maxAnswer)
	n, err := f.Read(b)
	if n == 0 && err != nil {
		return "", errors.New("it is empty")
	}
	return firstLine(b[:n])
}

func firstLine(b []byte) (string, error) {
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", errors.New("its first line is empty")
	}
	return line, nil
}
