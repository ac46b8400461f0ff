package project

import "errors"

var errTODO = errors.New("not written yet")

func open(dir string, opts Options) (*Project, error) { return nil, errTODO }
func registryIndex(s string) (string, bool)           { return "", false }
func parseGitSource(s string) (GitSource, bool)       { return GitSource{}, false }
func parseCargoLock(name string, b []byte) (*CargoLock, error) {
	return nil, errTODO
}
func resolveGit(lock []byte, c map[GitSource]string) ([]byte, error) { return nil, errTODO }
func scanEnv(p *Project) ([]EnvUse, error)                           { return nil, errTODO }
func checkEnv(p *Project) error                                      { return errTODO }
func chooseArtifact(p *Project) (Target, error)                      { return Target{}, errTODO }
