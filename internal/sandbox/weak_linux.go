package sandbox

import (
	"context"
	"errors"
)

const weakRunnerName = "espalier-weak-runner"

func weakRunnerMain() {}

func (j *job) runWeak(ctx context.Context) (int, string, error) { return 0, "", errors.New("not yet") }
