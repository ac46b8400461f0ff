package project

import (
	"slices"
	"strings"

	"espalier.dev/espalier/internal/cargo"
	"espalier.dev/espalier/internal/config"
	"espalier.dev/espalier/internal/order"
)

// Variables that own sources read with env!("NAME") and that nothing declares
// come from the caller's environment, as they do with cargo: READMEs say
// "SSID=… PASSWORD=… cargo run". Their names are recorded in the lock, their
// values never are; one whose name says that it is a secret is treated as
// {secret = true}.

// callerEnv takes undeclared variables of the selected firmware from the
// caller's environment. For a run on the emulated board, a missing Wi-Fi
// credential gets the value of the emulated network.
func (o *opening) callerEnv(p *Project) error {
	uses, err := p.scanEnv(false)
	if err != nil {
		return err
	}
	b := &p.Espalier.Build
	seen := map[string]bool{}
	for _, u := range uses {
		if u.Optional || u.Conditional || u.Declared != "" || seen[u.Name] || reservedEnv(u.Name) != "" {
			continue
		}
		seen[u.Name] = true
		v := BuildVar{Name: u.Name, FromEnv: true, Caller: true, Set: true, Origin: u.Origin}
		if value, ok := o.layers.lookup(u.Name); ok {
			if v.Value = value; secretName(u.Name) {
				v.Secret, v.FromEnv, v.From = true, false, u.Name
			}
		} else if value, ok := p.emulatedCredential(u.Name); ok && o.opts.Emulated {
			v.Value, v.Emulated = value, true
		} else {
			continue
		}
		b.Env = append(b.Env, v)
	}
	order.Sort(b.Env, func(x, y BuildVar) int { return strings.Compare(x.Name, y.Name) })
	p.callerCredentials()
	return nil
}

// callerCredentials gives the emulated access point the credentials that came
// from the caller's environment, unless they are configured elsewhere.
func (p *Project) callerCredentials() {
	set := func(name string, v *config.Value[string], names func(string) int, hidden bool) {
		if v.IsSet() {
			return
		}
		best, rank := BuildVar{}, 0
		for _, e := range p.Espalier.Build.Env {
			if r := names(e.Name); e.Caller && !e.Emulated && r > 0 && (rank == 0 || r < rank) {
				best, rank = e, r
			}
		}
		if rank == 0 {
			return
		}
		*v = config.NewValue(best.Value, config.Origin{File: "environment " + best.Name})
		for i := range p.Espalier.settings {
			if s := &p.Espalier.settings[i]; s.Name == name {
				s.Value, s.Origin = best.Value, v.Origin
				if hidden {
					s.Value = hiddenValue
				}
			}
		}
	}
	set("net.ssid", &p.Espalier.Net.SSID, ssidRank, false)
	set("net.passphrase", &p.Espalier.Net.Passphrase, passphraseRank, true)
}

// emulatedCredential is the credential of the emulated network that a variable
// of this name would hold.
func (p *Project) emulatedCredential(name string) (string, bool) {
	switch {
	case ssidRank(name) > 0:
		return p.Espalier.Net.SSID.V, true
	case passphraseRank(name) > 0:
		return p.Espalier.Net.Passphrase.V, true
	}
	return "", false
}

// ssidRank orders the names that projects give to a network's name, the usual
// ones first; 0 is any other name.
func ssidRank(name string) int {
	n := strings.ToUpper(name)
	if i := slices.Index([]string{"SSID", "WIFI_SSID"}, n); i >= 0 {
		return i + 1
	}
	switch {
	case strings.Contains(n, "SSID"):
		return 3
	case n == "WIFI_NAME" || n == "WIFI_NETWORK" || n == "WLAN_NAME":
		return 4
	}
	return 0
}

// passphraseRank is ssidRank for a network's passphrase.
func passphraseRank(name string) int {
	n := strings.ToUpper(name)
	usual := []string{"PASSWORD", "PASSPHRASE", "WIFI_PASSWORD", "WIFI_PASSPHRASE", "WIFI_PASS", "WIFI_PSK", "PASS", "PSK"}
	if i := slices.Index(usual, n); i >= 0 {
		return i + 1
	}
	wifi := false
	for _, w := range []string{"WIFI", "WI_FI", "WLAN", "SSID", "STA_", "NETWORK"} {
		wifi = wifi || strings.Contains(n, w)
	}
	for _, w := range []string{"PASS", "PSK", "PWD", "PW", "KEY", "SECRET"} {
		if wifi && strings.Contains(n, w) {
			return len(usual) + 1
		}
	}
	return 0
}

// secretName reports whether a variable's name says that it is a secret.
func secretName(name string) bool {
	n := strings.ToUpper(name)
	for _, w := range []string{"PASS", "SECRET", "KEY", "TOKEN", "PSK", "PWD"} {
		if strings.Contains(n, w) {
			return true
		}
	}
	return false
}

// credential is what the project declares for the variable with the best rank.
func credential(fromCargo []cargo.EnvVar, own []BuildVar, rank func(string) int) []raw {
	var out []raw
	best := 0
	take := func(name string, r raw) {
		if n := rank(name); n > 0 && (best == 0 || n < best) {
			best, out = n, []raw{r}
		}
	}
	for _, v := range own {
		if v.Set {
			take(v.Name, raw{words: []string{v.Value}, origin: v.Origin, hidden: v.Secret})
		}
	}
	for _, v := range fromCargo {
		if !v.Relative {
			take(v.Name, raw{words: []string{v.Value}, origin: v.Origin})
		}
	}
	return out
}

// CallerEnv lists the variables of the build that came from the caller's
// environment without being declared, sorted, and those that got a credential
// of the emulated network instead.
func (p *Project) CallerEnv() (fromCaller, emulated []string) {
	for _, v := range p.Espalier.Build.Env {
		switch {
		case v.Emulated:
			emulated = append(emulated, v.Name)
		case v.Caller:
			fromCaller = append(fromCaller, v.Name)
		}
	}
	return fromCaller, emulated
}

// EnvNames are the names of the undeclared variables that any binary or example
// of the firmware packages needs, sorted. A lock records them.
func (p *Project) EnvNames() ([]string, error) {
	uses, err := p.scanEnv(true)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, u := range uses {
		caller := slices.ContainsFunc(p.Espalier.Build.Env, func(v BuildVar) bool { return v.Caller && v.Name == u.Name })
		if !u.Optional && !u.Conditional && (u.Declared == "" || caller) && !slices.Contains(out, u.Name) {
			out = append(out, u.Name)
		}
	}
	slices.Sort(out)
	return out, nil
}
