package markdown

import (
	"strings"
	"unicode"
)

// Escape makes clean text come out as the characters that it has, wherever inline text may stand. Underscores inside
// words stay bare, for they mean nothing there and names such as WARM_IP_TARGET stay searchable.
func Escape(s string) string {
	runes := []rune(s)
	var b strings.Builder
	for i, r := range runes {
		switch r {
		case '\\', '`', '*', '[', ']', '<', '>', '&', '~', '|', '$':
			b.WriteByte('\\')
		case '_':
			if !inWord(runes, i) {
				b.WriteByte('\\')
			}
		case '#', '+', '-', '=':
			if i == 0 { // a heading, a list, a ruler
				b.WriteByte('\\')
			}
		case '.', ')':
			if i > 0 && allDigits(runes[:i]) && (i+1 == len(runes) || runes[i+1] == ' ') { // a numbered list
				b.WriteByte('\\')
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}

func inWord(rs []rune, i int) bool {
	word := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
	return i > 0 && i+1 < len(rs) && word(rs[i-1]) && word(rs[i+1])
}

func allDigits(rs []rune) bool {
	for _, r := range rs {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// Code makes a code span of clean text, with a delimiter that the text can't close.
func Code(s string) string {
	if s == "" {
		return ""
	}
	ticks := strings.Repeat("`", longestRun(s, '`')+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " " // CommonMark strips one space of each side
	}
	return ticks + s + ticks
}

func longestRun(s string, c rune) int {
	longest, run := 0, 0
	for _, r := range s {
		if r == c {
			run++
		} else {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}
