// Package page writes pages of docs/ that more than one program measures for: each has its marked section.
package page

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// section is one, with its marks: comments that Markdown doesn't show.
var section = regexp.MustCompile(`(?s)<!-- section (\S+) -->\n.*?<!-- end of section -->\n`)

// Write writes a page anew, and keeps the sections of others at its end. text has no marked section itself.
func Write(file, text string) error {
	old, err := read(file)
	if err != nil {
		return err
	}
	out := strings.TrimRight(text, "\n") + "\n"
	theirs := section.FindAllString(old, -1)
	return os.WriteFile(file, []byte(strings.Join(append([]string{out}, theirs...), "\n")), 0o644)
}

// WriteSection replaces one section of a page, or puts it at the end; everything else stays as it is.
func WriteSection(file, name, text string) error {
	old, err := read(file)
	if err != nil {
		return err
	}
	now := fmt.Sprintf("<!-- section %s -->\n%s\n<!-- end of section -->\n", name, strings.Trim(text, "\n"))
	found := false
	out := section.ReplaceAllStringFunc(old, func(s string) string {
		if section.FindStringSubmatch(s)[1] != name {
			return s
		}
		found = true
		return now
	})
	if !found {
		out = strings.TrimRight(old, "\n") + "\n\n" + now
	}
	return os.WriteFile(file, []byte(out), 0o644)
}

// read gives a page, empty where it isn't there yet.
func read(file string) (string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return string(b), err
}
