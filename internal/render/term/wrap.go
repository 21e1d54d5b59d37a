package term

import (
	"strings"
	"unicode/utf8"
)

type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31;1"
	green  style = "32;1"
	yellow style = "33;1"
)

// paint colours every word by itself, so that a line may be broken anywhere.
func (p *page) paint(st style, s string) string {
	if !p.Color || s == "" {
		return s
	}
	words := strings.Split(s, " ")
	for i, w := range words {
		if w != "" {
			words[i] = "\x1b[" + string(st) + "m" + w + "\x1b[0m"
		}
	}
	return strings.Join(words, " ")
}

// columns counts what a text takes on the screen, colours aside.
func columns(s string) int {
	n := 0
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			return n + utf8.RuneCountInString(s)
		}
		n += utf8.RuneCountInString(s[:i])
		_, s, _ = strings.Cut(s[i:], "m")
	}
}

// wrap breaks s at spaces; the first line starts with the bullet, the others are indented below it.
func (p *page) wrap(indent int, s, bullet string) {
	prefix, hang := bullet, strings.Repeat(" ", len(bullet))
	line := ""
	for word := range strings.SplitSeq(s, " ") {
		switch {
		case line == "":
			line = word
		case indent+len(bullet)+columns(line)+1+columns(word) > p.Width:
			p.line(indent, prefix+line)
			prefix, line = hang, word
		default:
			line += " " + word
		}
	}
	p.line(indent, prefix+line)
}

// command writes a shell line, continued with backslashes where it is too long. Snippets of several lines stay as they are.
func (p *page) command(indent int, c string) {
	if strings.Contains(c, "\n") {
		for l := range strings.SplitSeq(c, "\n") {
			p.line(indent, p.paint(dim, l))
		}
		return
	}
	const more = " \\"
	line, prefix := "", "$ "
	for _, word := range shellWords(c) {
		switch {
		case line == "":
			line = word
		case indent+len(prefix)+columns(line)+1+columns(word)+len(more) > p.Width:
			p.line(indent, p.paint(dim, prefix+line+more))
			prefix, line = "    ", word
		default:
			line += " " + word
		}
	}
	p.line(indent, p.paint(dim, prefix+line))
}

// shellWords splits at the spaces that stand outside quotes.
func shellWords(c string) []string {
	var out []string
	var word strings.Builder
	quote := rune(0)
	escaped := false
	for _, r := range c {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == ' ':
			out = append(out, word.String())
			word.Reset()
			continue
		}
		word.WriteRune(r)
	}
	return append(out, word.String())
}
