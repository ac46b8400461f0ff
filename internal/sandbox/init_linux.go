package sandbox

import "os"

// Init must be the first call of main and of TestMain: it turns a re-executed
// process into the runner and does not return then.
func Init() {
	if len(os.Args) != 1 {
		return
	}
	switch os.Args[0] {
	case runnerName:
		runnerMain()
	case weakRunnerName:
		weakRunnerMain()
	}
}
