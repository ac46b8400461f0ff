package proof

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// EachTime names, for Locate, what differs in every build: the clock's finer part,
// random numbers, addresses.
const EachTime = "each-time"

// readers are how Rust code reads a condition, by its name (build.Condition). They
// find places to look at; a match is no proof.
var readers = map[string]*regexp.Regexp{
	"host-name":          regexp.MustCompile(`\b(gethostname|hostname|HOSTNAME)\b`),
	"user-id":            regexp.MustCompile(`\b(get(e?uid|e?gid|resuid|groups)|get_current_uid|Uid)\b`),
	"user-name":          regexp.MustCompile(`"(USER|LOGNAME)"|\b(whoami|getpw\w+|get_user_by_\w+)\b`),
	"home":               regexp.MustCompile(`"(HOME|XDG_\w+)"|\bhome_dir\b`),
	"clock":              regexp.MustCompile(`\b(SystemTime|Utc|Local|OffsetDateTime|Zoned|Timestamp)\s*::\s*now|\bUNIX_EPOCH\b|\bgettimeofday\b`),
	"time-zone":          regexp.MustCompile(`"TZ"|\b(Local|OffsetDateTime|Zoned)\s*::\s*now|\blocaltime\w*|\bUtcOffset\b`),
	"locale":             regexp.MustCompile(`"(LANG|LANGUAGE|LC_\w+)"|\bsetlocale\b`),
	"jobs":               regexp.MustCompile(`"(NUM_JOBS|CARGO_BUILD_JOBS|CARGO_MAKEFLAGS|MAKEFLAGS)"`),
	"processors":         regexp.MustCompile(`\b(available_parallelism|num_cpus|sched_getaffinity)\b`),
	"processor-features": regexp.MustCompile(`"GLIBC_TUNABLES"|\bis_x86_feature_detected\b|target-cpu=native`),
	"kernel":             regexp.MustCompile(`\b(uname|osrelease|sys_info|os_info)\b`),
	"file-order":         regexp.MustCompile(`\b(read_dir|WalkDir|glob|glob_with)\s*(::new\s*)?\(`),
	"umask":              regexp.MustCompile(`\b(umask|permissions|mode)\s*\(`),
	"environment":        regexp.MustCompile(`\b(vars|vars_os)\s*\(`),
	EachTime:             regexp.MustCompile(`\b(SystemTime|Instant|Utc|Local|OffsetDateTime)\s*::\s*now|\b(rand|getrandom|RandomState|HashMap|HashSet)\b|\{:p\}|\bprocess\s*::\s*id\b`),
}

// Locate adds the places in the sources of an origin that read one of the named
// conditions. read returns a file by its path inside a step; one that is not there is
// skipped.
func (o *Origin) Locate(names []string, read func(inside string) ([]byte, error)) error {
	var patterns []*regexp.Regexp
	for _, name := range names {
		if p := readers[name]; p != nil && len(o.Variables) == 0 {
			patterns = append(patterns, p)
		}
	}
	for _, name := range o.Variables {
		patterns = append(patterns, regexp.MustCompile(`env!\s*\(\s*"`+regexp.QuoteMeta(name)+`"`))
	}
	for _, inside := range o.inside {
		text, err := read(inside)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		o.Places = append(o.Places, placesIn(userPath(inside), text, patterns)...)
	}
	return nil
}

// mostPlaces bounds the places in one file.
const mostPlaces = 5

// placesIn lists where a text matches a pattern, as file:line:column.
func placesIn(name string, text []byte, patterns []*regexp.Regexp) (out []string) {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		// Neither comments and imports nor declarations of foreign functions.
		if code := strings.TrimSpace(line); strings.HasPrefix(code, "//") || strings.HasPrefix(code, "use ") || strings.HasPrefix(code, "fn ") && strings.Contains(code, ";") {
			continue
		}
		for _, p := range patterns {
			if at := p.FindStringIndex(line); at != nil && len(out) < mostPlaces {
				out = append(out, fmt.Sprintf("%s:%d:%d", name, n, at[0]+1))
				break
			}
		}
	}
	return out
}

// sortPlaces sorts file:line:column by file, then by number.
func sortPlaces(list []string) {
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	slices.SortFunc(list, func(a, b string) int {
		x, y := strings.Split(a, ":"), strings.Split(b, ":")
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(number(x[1]), number(y[1])), cmp.Compare(number(x[2]), number(y[2])))
	})
}
