package reapi

// GetHash returns the hash, "" for a digest that is not there.
func (d *Digest) GetHash() string {
	if d == nil {
		return ""
	}
	return d.Hash
}

// GetProperties returns the properties, none for a platform that is not there.
func (p *Platform) GetProperties() []*Property {
	if p == nil {
		return nil
	}
	return p.Properties
}
