package tomldoc

import (
	"strings"
	"testing"
	"time"
)

func TestBounds(t *testing.T) {
	start := time.Now()
	for name, text := range map[string]string{
		"dotted key":    strings.Repeat("a.", 400_000) + "a = 1\n",
		"dotted header": "[" + strings.Repeat("a.", 400_000) + "a]\n",
		"arrays":        "x = " + strings.Repeat("[", 400_000) + "\n",
		"inline tables": "x = " + strings.Repeat("{a = ", 100_000) + "\n",
	} {
		_, err := Parse("f.toml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), "f.toml:1:") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("refusing took %s", d)
	}
	for name, text := range map[string]string{
		"strings":   "x = \"" + strings.Repeat("[.", 200) + "\"\ny = '" + strings.Repeat("{.", 200) + "'\n",
		"multiline": "x = \"\"\"\n" + strings.Repeat("[\\\"..", 200) + "\"\"\"\"\ny = '''\n" + strings.Repeat("{.'", 200) + "\n''''\n",
		"comment":   "# " + strings.Repeat("[.", 200) + "\nx = 1\n",
		"versions":  "x = [" + strings.Repeat("\"1.2.3\", 1.5, ", 200) + "]\n",
		"tables":    strings.Repeat("[[a.b]]\nc.d = 1.5\n", 200),
	} {
		if _, err := Parse("f.toml", []byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
