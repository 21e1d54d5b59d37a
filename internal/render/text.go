package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/netdiag/netdiag/internal/redact"
)

// newline stands for a line break inside foreign text, so that one name can never look like two lines of a report.
const newline = "␤"

// Clean makes text safe to show on one line: terminal escape sequences, control characters, and the invisible characters
// that reorder or hide text (bidirectional controls, zero-width, soft hyphens) are removed; line breaks become ␤; what looks
// like a secret is taken out. What is left still needs the escaping of its medium (Markdown, mrkdwn).
func Clean(s string) string {
	return strings.TrimSpace(redact.Text(clean(strings.ReplaceAll(s, "\r\n", "\n"), newline)))
}

// CleanBlock is Clean for text that may have several lines, such as a snippet for another tool: line breaks stay.
func CleanBlock(s string) string {
	return strings.TrimRight(redact.Text(clean(strings.ReplaceAll(s, "\r\n", "\n"), "\n")), "\n ")
}

func clean(s, lineBreak string) string {
	var b strings.Builder
	for len(s) > 0 {
		if c := s[0]; c >= ' ' && c < 0x7f {
			b.WriteByte(c)
			s = s[1:]
			continue
		}
		if n := escapeSequence(s); n > 0 {
			s = s[n:]
			continue
		}
		r, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		switch {
		case strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029", r):
			b.WriteString(lineBreak)
		case r == '\t' || unicode.Is(unicode.Zs, r):
			b.WriteByte(' ')
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r):
		default:
			b.WriteRune(r) // broken UTF-8 decodes to U+FFFD, which is shown
		}
	}
	return b.String()
}

// escapeSequence is the length of the terminal escape sequence (ECMA-48) that s begins with, or 0. An unterminated one
// swallows nothing but its introducer: text must not vanish.
func escapeSequence(s string) int {
	var rest, kind string
	switch {
	case strings.HasPrefix(s, "\x1b") && len(s) > 1:
		kind, rest = s[1:2], s[2:]
	case strings.HasPrefix(s, "\u009b"):
		kind, rest = "[", s[len("\u009b"):]
	case strings.HasPrefix(s, "\u009d"):
		kind, rest = "]", s[len("\u009d"):]
	default:
		return 0
	}
	head := len(s) - len(rest)
	switch kind {
	case "[":
		return head + controlSequence(rest)
	case "]", "P", "X", "^", "_": // strings that end with BEL or ST
		for _, end := range []string{"\a", "\x1b\\", "\u009c"} {
			if i := strings.Index(rest, end); i >= 0 {
				return head + i + len(end)
			}
		}
		return head
	}
	if kind[0] >= 0x20 && kind[0] < 0x7f {
		return head
	}
	return 1
}

// controlSequence is the length of parameters and the one final byte at the beginning of s, or 0 where they aren't.
func controlSequence(s string) int {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 0x40 && c <= 0x7e:
			return i + 1
		case c < 0x20 || c > 0x3f:
			return 0
		}
	}
	return 0
}

// Cut shortens s to at most n characters and says how many were left out.
func Cut(s string, n int) string {
	total := utf8.RuneCountInString(s)
	if total <= n {
		return s
	}
	// The note itself takes room; its length depends on the number in it only a little.
	note := fmt.Sprintf("… (%d more characters)", total)
	keep := max(n-utf8.RuneCountInString(note), 0)
	if keep == 0 {
		return string([]rune(s)[:max(n-1, 0)]) + "…"
	}
	return string([]rune(s)[:keep]) + fmt.Sprintf("… (%d more characters)", total-keep)
}
