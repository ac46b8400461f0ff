package doctor

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Age is the value of a flag: a duration that may be written in days.
type Age time.Duration

func (d *Age) String() string {
	const day = 24 * time.Hour
	if t := time.Duration(*d); t > 0 && t%day == 0 {
		return strconv.Itoa(int(t/day)) + "d"
	}
	return time.Duration(*d).String()
}

// Set parses a flag.
func (d *Age) Set(s string) error {
	t, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		t = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || t < 0 {
		return fmt.Errorf("%q is not a duration, such as 30d or 12h", s)
	}
	*d = Age(t)
	return nil
}

// Type is the word for the value in help.
func (*Age) Type() string { return "time" }
