// Package redact takes out of text what looks like a secret. People put tokens and passwords into labels, events,
// arguments and health responses; what netdiag quotes of them must not carry them further.
package redact

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Mark stands where something was taken out.
const Mark = "redacted"

// What is a secret by its form.
var (
	pem       = regexp.MustCompile(`-----BEGIN [A-Z ]+-----[\s\S]*?(-----END [A-Z ]+-----|$)`)
	jwt       = regexp.MustCompile(`\beyJ[\w-]{8,}\.[\w-]+(\.[\w-]*)?`)
	keyID     = regexp.MustCompile(`(AKIA|ASIA)[A-Z0-9]{12,}\b`)
	token     = regexp.MustCompile(`(xox[a-z]-|\bxapp-|\bgh[pousr]_|\bgithub_pat_|\bglpat-|\bk8s-aws-v1\.)[\w.=-]{10,}`)
	userInfo  = regexp.MustCompile(`://[^/\s:@"']+:[^/\s@"']+@`)
	bearer    = regexp.MustCompile(`(?i)\b(bearer|basic)(\s+)([\w.~+/=-]{8,})`)
	signature = regexp.MustCompile(`(X-Amz-(?:Signature|Security-Token|Credential)=)[^&\s"']+`)
	random    = regexp.MustCompile(`[A-Za-z0-9+/=]{40,}`)
	// assigned is a value after a name, an equals sign or a colon, and quotes perhaps: name=value, "name": "value", --name=value.
	assigned = regexp.MustCompile(`([\w.-]+)(["']?\s*(=|:)\s*["']?)([^\s"',;&}]+)`)
)

// secretName are names of variables and fields whose values are secret. A path is none, even where its name says token.
var secretName = regexp.MustCompile(`(?i)(passw(or)?d|pwd|secret|token|credential|private_?key|api_?key|access_?key)`)

// forms are the secrets that are known by their form. A pattern is asked only where the text has what it can't be without:
// most texts are short names, and there are very many of them.
var forms = []struct {
	hints []string // one of them must be there, in small letters where fold is set
	fold  bool
	clean func(string) string
}{
	{[]string{"-----BEGIN "}, false, func(s string) string { return pem.ReplaceAllString(s, Mark) }},
	{[]string{"eyJ"}, false, func(s string) string { return jwt.ReplaceAllString(s, Mark) }},
	{[]string{"AKIA", "ASIA"}, false, func(s string) string { return keyID.ReplaceAllString(s, "${1}REDACTED") }},
	{[]string{"xox", "xapp-", "ghp_", "gho_", "ghu_", "ghr_", "ghs_", "github_pat_", "glpat-", "k8s-aws-v1."}, false, func(s string) string { return token.ReplaceAllString(s, Mark) }},
	{[]string{"bearer", "basic"}, true, func(s string) string { return bearer.ReplaceAllStringFunc(s, header) }},
}

// shortest is the length of the shortest token or header that a form takes for a secret.
const shortest = 12

// Text gives a text without its secrets.
func Text(s string) string {
	if len(s) >= shortest {
		small := strings.ToLower(s)
		for _, f := range forms {
			in := s
			if f.fold {
				in = small
			}
			if slices.ContainsFunc(f.hints, func(h string) bool { return strings.Contains(in, h) }) {
				s = f.clean(s)
			}
		}
	}
	if strings.Contains(s, "://") {
		s = userInfo.ReplaceAllString(s, "://"+Mark+"@")
		s = signature.ReplaceAllString(s, "${1}"+Mark)
	}
	if strings.ContainsAny(s, "=:") {
		s = assigned.ReplaceAllStringFunc(s, assignment)
	}
	if len(s) >= 40 {
		s = random.ReplaceAllStringFunc(s, func(run string) string {
			if isRandom(run) {
				return Mark
			}
			return run
		})
	}
	return s
}

// header takes the value out of an Authorization header. "basic authentication" is none: a value has a digit or a capital inside.
func header(s string) string {
	m := bearer.FindStringSubmatch(s)
	if !strings.ContainsAny(m[3], "0123456789=") && strings.ToLower(m[3][1:]) == m[3][1:] {
		return s
	}
	return m[1] + m[2] + Mark
}

// assignment takes the value out of name=value where the name is one of a secret. After a colon a sentence may follow, as in
// "ExpiredToken: The security token …": there, only what has a digit and some length is taken for a value.
func assignment(s string) string {
	m := assigned.FindStringSubmatch(s)
	name, between, sign, value := m[1], m[2], m[3], m[4]
	if !secretName.MatchString(name) || strings.HasPrefix(value, "/") {
		return s
	}
	quoted := strings.ContainsAny(between, `"'`)
	if sign == ":" && !quoted && (len(value) < 8 || !strings.ContainsAny(value, "0123456789")) {
		return s
	}
	return name + between + Mark
}

// isRandom tells the text of a key from a long word, a path and a hash: capital and small letters and digits, and few slashes.
func isRandom(run string) bool {
	return strings.ContainsAny(run, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") && strings.ContainsAny(run, "abcdefghijklmnopqrstuvwxyz") &&
		strings.ContainsAny(run, "0123456789") && strings.Count(run, "/") < len(run)/10
}

// JSON gives a JSON document with each of its strings as Text gives it, and the values of fields that are named like a
// secret taken out. Names of fields stay.
func JSON(doc []byte) ([]byte, error) {
	d := json.NewDecoder(strings.NewReader(string(doc)))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("redact JSON: %w", err)
	}
	return json.Marshal(value("", v))
}

func value(name string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		// {"name": "PASSWORD", "value": "…"}, as containers have their variables.
		variable, _ := v["name"].(string)
		for k, e := range v {
			if k == "value" && variable != "" {
				k = variable
			}
			switch {
			case k == variable && variable != "":
				v["value"] = value(variable, e)
			default:
				v[k] = value(k, e)
			}
		}
		return v
	case []any:
		for i := range v {
			v[i] = value(name, v[i])
		}
		return v
	case string:
		if clean := Text(v); clean != v || name == "" {
			return clean
		}
		return fieldValue(name, v)
	}
	return v
}

// fieldValue judges a string by the name of its field: strictly, for names such as secretName refer to a secret and hold none.
func fieldValue(name, v string) string {
	if secretField.MatchString(name) && v != "" && !strings.HasPrefix(v, "/") {
		return Mark
	}
	return v
}

var secretField = regexp.MustCompile(`(?i)(^|_)(passw(or)?d|pwd|secret|token|private_?key|api_?key|secret_?access_?key)$`)
