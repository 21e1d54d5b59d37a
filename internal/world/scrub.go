package world

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// secretName are names of variables and fields whose values are secret. A path is none, even where its name says token.
var secretName = regexp.MustCompile(`(?i)(passw(or)?d|pwd|secret|token|credential|private_?key|api_?key|access_?key)`)

// What looks like a secret in a text.
var (
	pem       = regexp.MustCompile(`-----BEGIN [A-Z ]+-----[\s\S]*?(-----END [A-Z ]+-----|$)`)
	jwt       = regexp.MustCompile(`\beyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?`)
	keyID     = regexp.MustCompile(`\b(AKIA|ASIA|AROA|AIDA|AGPA|AIPA|ANPA|ANVA|APKA)[A-Z0-9]{12,}\b`)
	token     = regexp.MustCompile(`\b(xox[a-z]-|xapp-|gh[pousr]_|github_pat_|glpat-|sk-|k8s-aws-v1\.)[\w.=-]{10,}`)
	userInfo  = regexp.MustCompile(`://[^/\s:@"']+:[^/\s@"']+@`)
	bearer    = regexp.MustCompile(`(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}`)
	signature = regexp.MustCompile(`(X-Amz-(?:Signature|Security-Token|Credential)=)[^&\s"']+`)
	mail      = regexp.MustCompile(`\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b`)
	random    = regexp.MustCompile(`[A-Za-z0-9+/=]{40,}`)
	// assigned is a value after a name, an equals sign or a colon, and quotes perhaps: name=value, "name": "value", --name=value.
	assigned = regexp.MustCompile(`([\w.-]+)(["']?\s*(=|:)\s*["']?)([^\s"',;&}]+)`)
)

// shortest is the length of the shortest token, name or header that a pattern below takes for a secret.
const shortest = 12

// Where ids of accounts stand.
var (
	inARN      = regexp.MustCompile(`\barn:aws[\w-]*:[\w-]*:[\w-]*:(\d{12}):`)
	inRegistry = regexp.MustCompile(`\b(\d{12})\.dkr\.ecr\.`)
	alone      = regexp.MustCompile(`^\d{12}$`)
	digits     = regexp.MustCompile(`\d+`)
)

// scrubber takes secrets out of texts, and replaces the same account and address by the same stand-in.
type scrubber struct {
	own      string          // account of the world
	accounts map[string]bool // ids that were seen
	mails    map[string]bool
	names    map[string]string // stand-ins, made when all has been learned
	seen     map[string]string // texts that were scrubbed before
}

func newScrubber(own string) *scrubber {
	return &scrubber{own: own, accounts: map[string]bool{}, mails: map[string]bool{}, seen: map[string]string{}}
}

// learn looks for ids of accounts and mail addresses; text needs to have seen all of them.
func (s *scrubber) learn(text string) {
	if len(text) < 12 && !strings.Contains(text, "@") {
		return
	}
	if alone.MatchString(text) {
		s.accounts[text] = true
	}
	for _, in := range []*regexp.Regexp{inARN, inRegistry} {
		for _, m := range in.FindAllStringSubmatch(text, -1) {
			s.accounts[m[1]] = true
		}
	}
	for _, m := range mail.FindAllString(text, -1) {
		s.mails[m] = true
	}
}

// standIns names the account of the world 111122223333, as AWS's own examples do, and the others after it.
func (s *scrubber) standIns() map[string]string {
	out := map[string]string{}
	if s.own != "" {
		out[s.own] = "111122223333"
	}
	n := 1
	for _, id := range slices.Sorted(maps.Keys(s.accounts)) {
		if out[id] != "" {
			continue
		}
		n++
		if n <= 6 {
			out[id] = strings.Repeat(fmt.Sprint(n), 4) + strings.Repeat(fmt.Sprint(n+1), 4) + strings.Repeat(fmt.Sprint(n+2), 4)
		} else {
			out[id] = fmt.Sprintf("9999%08d", n)
		}
	}
	for i, address := range slices.Sorted(maps.Keys(s.mails)) {
		out[address] = fmt.Sprintf("person-%d@example.com", i+1)
	}
	return out
}

// text gives a text without its secrets.
func (s *scrubber) text(text string) string {
	if s.names == nil {
		s.names = s.standIns()
	}
	clean, known := s.seen[text]
	if !known {
		clean = s.scrub(text)
		s.seen[text] = clean
	}
	return clean
}

// scrub asks for what a pattern can't be without first: most texts are short names, and there are very many of them.
func (s *scrubber) scrub(text string) string {
	if len(text) >= shortest {
		text = pem.ReplaceAllString(text, redacted)
		text = jwt.ReplaceAllString(text, redacted)
		text = keyID.ReplaceAllString(text, "${1}REDACTED")
		text = token.ReplaceAllString(text, redacted)
		text = bearer.ReplaceAllString(text, "$1 "+redacted)
	}
	if strings.Contains(text, "://") {
		text = userInfo.ReplaceAllString(text, "://"+redacted+"@")
		text = signature.ReplaceAllString(text, "${1}"+redacted)
	}
	if strings.ContainsAny(text, "=:") {
		text = assigned.ReplaceAllStringFunc(text, assignment)
	}
	if len(text) >= 40 {
		text = random.ReplaceAllStringFunc(text, func(run string) string {
			if isRandom(run) {
				return redacted
			}
			return run
		})
	}
	if strings.Contains(text, "@") {
		text = mail.ReplaceAllStringFunc(text, func(m string) string { return s.names[m] })
	}
	if len(text) < 12 {
		return text
	}
	return digits.ReplaceAllStringFunc(text, func(d string) string {
		if name := s.names[d]; name != "" {
			return name
		}
		return d
	})
}

// assignment takes the value out of name=value where the name is one of a secret. After a colon a sentence may follow, as in
// "ExpiredToken: The security token …": there, only what has a digit and some length is taken for a value.
func assignment(text string) string {
	m := assigned.FindStringSubmatch(text)
	name, between, sign, value := m[1], m[2], m[3], m[4]
	if !secretName.MatchString(name) || strings.HasPrefix(value, "/") {
		return text
	}
	quoted := strings.ContainsAny(between, `"'`)
	if sign == ":" && !quoted && (len(value) < 8 || !strings.ContainsAny(value, "0123456789")) {
		return text
	}
	return name + between + redacted
}

// isRandom tells the text of a key from a long word, a path and a hash: capital and small letters and digits, and few slashes.
func isRandom(run string) bool {
	return strings.ContainsAny(run, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") && strings.ContainsAny(run, "abcdefghijklmnopqrstuvwxyz") &&
		strings.ContainsAny(run, "0123456789") && strings.Count(run, "/") < len(run)/10
}
