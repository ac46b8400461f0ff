//go:build unix

package shell

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// UtilityArg is the first argument of this program when it is a core utility.
const UtilityArg = "espalier-utility"

// self is this program, inside a sandbox too.
const self = "/proc/self/exe"

// utility returns a core utility by its name, nil when there is none.
func utility(name string) func(args []string) error {
	switch name {
	case "cat":
		return cat
	case "echo":
		return func(args []string) error { fmt.Println(strings.Join(args, " ")); return nil }
	case "false":
		return func([]string) error { return errors.New("false") }
	case "ls":
		return ls
	case "pwd":
		return pwd
	case "true", "cd", "export", "unset", "exit": // in a pipeline they change nothing
		return func([]string) error { return nil }
	}
	return nil
}

func pwd([]string) error {
	wd, err := os.Getwd()
	fmt.Println(wd)
	return err
}

// cat copies files, or standard input, to standard output.
func cat(files []string) error {
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		in := os.Stdin
		if name != "-" {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
		}
		if _, err := io.Copy(os.Stdout, in); err != nil {
			return err
		}
	}
	return nil
}

// ls lists files and directories, one entry a line: -a with those that begin
// with a dot, -l with mode, size and the target of a link.
func ls(args []string) error {
	var all, long bool
	var names []string
	for i, a := range args {
		switch {
		case a == "--":
			names = append(names, args[i+1:]...)
		case len(a) > 1 && a[0] == '-' && strings.Trim(a[1:], "al1") == "":
			all, long = all || strings.Contains(a, "a"), long || strings.Contains(a, "l")
			continue
		case len(a) > 1 && a[0] == '-':
			return fmt.Errorf("unknown option %s: only -a, -l and -1", a)
		default:
			names = append(names, a)
			continue
		}
		break
	}
	if len(names) == 0 {
		names = []string{"."}
	}
	show := func(path, name string) error {
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if !long {
			fmt.Println(name)
			return nil
		}
		if to, err := os.Readlink(path); err == nil {
			name += " -> " + to
		}
		fmt.Printf("%v %10d %s\n", info.Mode(), info.Size(), name)
		return nil
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil || !info.IsDir() {
			if err := show(name, name); err != nil {
				return err
			}
			continue
		}
		entries, err := os.ReadDir(name)
		if err != nil {
			return err
		}
		if len(names) > 1 {
			fmt.Println(name + ":")
		}
		for _, e := range entries {
			if !all && strings.HasPrefix(e.Name(), ".") {
				continue
			}
			if err := show(filepath.Join(name, e.Name()), e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// Utility is the main function of a core utility: its name and arguments in,
// its exit status out.
func Utility(args []string) int {
	u := utility(args[0])
	if u == nil {
		fmt.Fprintln(os.Stderr, args[0]+": no such utility")
		return 127
	}
	if err := u(args[1:]); err != nil {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = fmt.Errorf("%s: %w", at.Path, at.Err)
		}
		if args[0] != "false" {
			fmt.Fprintf(os.Stderr, "%s: %v\n", args[0], err)
		}
		return 1
	}
	return 0
}
