package project

import (
	"path/filepath"
	"reflect"
	"strings"

	"espalier.dev/espalier/internal/config"
)

// relocate makes every path relative to Root, now that Root is known. Origins
// above Root (the user's file, a configuration that does not apply) stay
// absolute; targets, packages and patches outside Root begin with "..".
func (p *Project) relocate() {
	rel := func(path string) string {
		if !filepath.IsAbs(path) || !config.Within(path, p.Root) {
			return filepath.ToSlash(path)
		}
		return filepath.ToSlash(config.Rel(p.Root, path))
	}
	origin := reflect.TypeFor[config.Origin]()
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			if v.Type() == origin {
				o := v.Addr().Interface().(*config.Origin)
				o.File = rel(o.File)
				return
			}
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		}
	}
	walk(reflect.ValueOf(p).Elem())
	for i := range p.Espalier.settings {
		walk(reflect.ValueOf(&p.Espalier.settings[i]))
	}
	for k, v := range p.Cargo.Alias {
		v.Origin.File = rel(v.Origin.File)
		p.Cargo.Alias[k] = v
	}
	// What a manifest names is named by its place in the project even where it
	// lies outside: an absolute path would make the plan depend on the
	// project's place. A published manifest may have such targets
	// (path = "../tests/main.rs"), and cargo accepts them until they are compiled.
	local := func(path string) string {
		if !filepath.IsAbs(path) {
			return filepath.ToSlash(path)
		}
		return filepath.ToSlash(config.Rel(p.Root, path))
	}
	for i := range p.Own {
		o := &p.Own[i]
		o.Dir, o.Manifest = local(o.Dir), local(o.Manifest)
		if o.Root != "" {
			o.Root = local(o.Root)
		}
		for j, f := range o.Texts {
			o.Texts[j] = local(f)
		}
		if o.Build != "" {
			o.Build = local(o.Build)
		}
		for j := range o.Targets {
			o.Targets[j].Path = local(o.Targets[j].Path)
		}
		for j := range o.Depends {
			if o.Depends[j].Path != "" {
				o.Depends[j].Path = local(o.Depends[j].Path)
			}
		}
	}
	for i := range p.Patches {
		if p.Patches[i].Path != "" {
			p.Patches[i].Path = local(p.Patches[i].Path)
		}
	}
	for i := range p.Ignored {
		dir := strings.HasSuffix(p.Ignored[i].Path, "/")
		p.Ignored[i].Path = rel(strings.TrimSuffix(p.Ignored[i].Path, "/"))
		if dir {
			p.Ignored[i].Path += "/"
		}
	}
	for i, f := range p.Cargo.Files {
		p.Cargo.Files[i] = rel(f)
	}
	for _, s := range []*string{&p.Cargo.Linker.V, &p.Cargo.HostLinker.V} {
		if r := rel(*s); r != filepath.ToSlash(*s) {
			*s = "./" + r // a plain name is a program of PATH
		}
	}
	for _, s := range []*string{&p.Toolchain.File, &p.Espalier.Path, &p.Espalier.Image.PartitionTable.V, &p.Espalier.Image.Bootloader.V, &p.Cargo.TargetDir.V, &p.Cargo.Target.V} {
		if *s != "" {
			*s = rel(*s)
		}
	}
	if p.Espalier.Build.Target.V != "" {
		p.Espalier.Build.Target.V = rel(p.Espalier.Build.Target.V)
	}
	if p.CargoLock != nil {
		p.CargoLock.Path = rel(p.CargoLock.Path)
	}
}
