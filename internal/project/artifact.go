package project

// Artifact is the crate root that becomes the firmware: the binary or example
// that was asked for, else default-run, else the only binary of Package. When
// the choice is open it is a fault of kind Usage that lists the candidates.
func (p *Project) Artifact() (Target, error) { return chooseArtifact(p) }
