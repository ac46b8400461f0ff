package cli

import (
	"bytes"
	"encoding"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"espalier.dev/espalier/internal/adopt"
	"espalier.dev/espalier/internal/archive"
	"espalier.dev/espalier/internal/build"
	"espalier.dev/espalier/internal/console"
	"espalier.dev/espalier/internal/diff"
	"espalier.dev/espalier/internal/doctor"
	"espalier.dev/espalier/internal/explain"
	"espalier.dev/espalier/internal/flashing"
	"espalier.dev/espalier/internal/fwtest"
	"espalier.dev/espalier/internal/inspect"
	"espalier.dev/espalier/internal/lock"
	"espalier.dev/espalier/internal/pin"
	"espalier.dev/espalier/internal/ports"
	"espalier.dev/espalier/internal/session"
	"espalier.dev/espalier/internal/settings"
	"espalier.dev/espalier/internal/size"
	"espalier.dev/espalier/internal/trial"
	"espalier.dev/espalier/internal/ui"
	"espalier.dev/espalier/internal/updating"
	"espalier.dev/espalier/internal/version"
	"espalier.dev/espalier/internal/workspace"
)

// events is the table of all events with the types of their fields.
func events() map[string]any {
	return map[string]any{
		"adoption": adopt.Event{}, "address": console.PlaceEvent{}, "against": workspace.Against{}, "attest": workspace.Attested{}, "provenance": workspace.Attestation{}, "audit": workspace.Audited{}, "archive": workspace.Archived{}, "archive-check": archive.Checked{}, "export": workspace.Exported{}, "restore": workspace.Restoration{}, "budget": workspace.OverBudget{}, "build": workspace.Delivered{}, "check": doctor.Finding{}, "diagnostic": ui.DiagnosticEvent{}, "diff": diff.Result{},
		"error": ui.ErrorEvent{}, "explanation": explain.Event{}, "flashed": flashing.Flashed{}, "fetch-check": pin.Checked{}, "gc": doctor.Cleaned{}, "line": console.LineEvent{}, "lock": lock.Diff{},
		"new": newEvent{}, "note": ui.NoteEvent{}, "part": session.PartEvent{}, "phase": ui.PhaseEvent{}, "port": ports.Port{}, "report": console.ReportEvent{},
		"result": session.ResultEvent{}, "sbom": sbomEvent{}, "serve": serveEvent{}, "size": size.Report{}, "setting": doctor.Setting{}, "template": templateEvent{},
		"test": fwtest.Event{}, "test-program": fwtest.ProgramEvent{}, "test-result": fwtest.ResultEvent{},
		"nvs-value": settings.Value{}, "settings": settings.Summary{},
		"outdated": updating.Outdated{}, "trial": trial.Result{}, "update": updating.Plan{}, "verify": workspace.Verification{}, "version": version.Info{}, "why": build.Reason{},

		"chip": inspect.Chip{}, "elf": inspect.ELF{}, "flash": inspect.Flash{}, "image": inspect.Image{},
		"lock-file": inspect.LockFile{}, "partition-table": inspect.PartitionTable{},
	}
}

const schemaFile = "../../docs/events.schema.json"

// TestEventSchema compares docs/events.schema.json with the types of the events;
// -update rewrites it. All names have one style.
func TestEventSchema(t *testing.T) {
	var kinds []any
	for _, name := range slices.Sorted(maps.Keys(events())) {
		s := schemaOf(t, reflect.TypeOf(events()[name]))
		fields := s["properties"].(map[string]any)
		for _, own := range []string{"version", "event"} {
			if fields[own] != nil {
				t.Errorf("event %s has a field %s of its own", name, own)
			}
		}
		fields["version"] = map[string]any{"const": ui.EventVersion}
		fields["event"] = map[string]any{"const": name}
		s["required"] = append([]string{"version", "event"}, s["required"].([]string)...)
		kinds = append(kinds, s)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	if err := e.Encode(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "One line of the output of espalier --json",
		"oneOf":   kinds,
	}); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if old, err := os.ReadFile(schemaFile); err != nil || !bytes.Equal(old, b.Bytes()) {
		t.Errorf("docs/events.schema.json is not that of the events (%v): go test ./internal/cli -run TestEventSchema -update", err)
	}
}

var (
	fieldName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	textType  = reflect.TypeFor[encoding.TextMarshaler]()
	jsonType  = reflect.TypeFor[json.Marshaler]()
)

// schemaOf is the JSON Schema of what encoding/json makes of a type. Further
// fields are allowed: they may be added within a version.
func schemaOf(t *testing.T, typ reflect.Type) map[string]any {
	switch {
	case typ.Implements(jsonType):
		t.Errorf("%s has a form of its own in JSON, which its type does not say", typ)
	case typ.Implements(textType):
		return map[string]any{"type": "string"}
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return schemaOf(t, typ.Elem())
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice, reflect.Array:
		list := any("array")
		if typ.Kind() == reflect.Slice {
			list = []string{"array", "null"}
		}
		return map[string]any{"type": list, "items": schemaOf(t, typ.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(t, typ.Elem())}
	case reflect.Interface:
		return map[string]any{}
	case reflect.Struct:
		return objectSchema(t, typ)
	}
	if typ.Kind() >= reflect.Int && typ.Kind() <= reflect.Uint64 {
		return map[string]any{"type": "integer"}
	}
	t.Fatalf("%s cannot be in an event", typ)
	return nil
}

func objectSchema(t *testing.T, typ reflect.Type) map[string]any {
	fields, required := map[string]any{}, []string{}
	for f := range fieldsOf(typ) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if !fieldName.MatchString(name) {
			t.Errorf("%s.%s is called %q in JSON: want lower case, words separated by dashes", typ, f.Name, name)
		}
		fields[name] = schemaOf(t, f.Type)
		if !strings.Contains(options, "omit") {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": fields, "required": required}
}

func fieldsOf(typ reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() && !yield(f) {
				return
			}
		}
	}
}

// TestEventTable: every event that the code emits is in the table, and the other
// way round.
func TestEventTable(t *testing.T) {
	emitted := regexp.MustCompile(`\.Event\("([a-z-]+)"|EventName\(\) string \{ return "([a-z-]+)" \}`)
	found := map[string]bool{}
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		b, err := os.ReadFile(name)
		for _, m := range emitted.FindAllSubmatch(b, -1) {
			found[string(m[1])+string(m[2])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(found)), slices.Sorted(maps.Keys(events())); !slices.Equal(got, want) {
		t.Errorf("events in the code %q, in the table %q", got, want)
	}
}
