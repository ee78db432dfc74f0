package onceward

import (
	"maps"
	"mime"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"

var (
	quotedString = regexp.MustCompile(`(?s)"(?:[^"\\]|\\.)*"`)
	// The grammar of RFC 9110 §8.3.1 with the empty parameters that §5.6.6 wants read.
	mediaGrammar = regexp.MustCompile(`(?s)\A[ \t]*` + token + "/" + token + `(?:[ \t]*;[ \t]*(?:` + token + "=(?:" + token + "|" + quotedString.String() + `))?)*[ \t]*\z`)
)

// FuzzMediaType holds the parser to the grammar, and compares it with package mime's, which is laxer here and stricter there:
//
//   - It joins the continuations of RFC 2231 and decodes the values of names with an asterisk. Here they are parameters like others.
//   - It keeps a backslash before a letter, for the sake of an old browser's file names. Here it is the quoted pair of RFC 9110 §5.6.4.
//   - It refuses a name that stands twice with two values, and keeps one of two equal ones. Here both count.
//   - It takes a type without a slash, spaces around the equals sign, what else Unicode calls a space, and more than eight parameters. Here
//     such a type counts as it is written, which is only stricter.
//
// Where none of that is in the text, both read the same, and what mime writes again has the same fingerprint.
func FuzzMediaType(f *testing.F) {
	for _, text := range []string{
		"", "a", "a/b", "A/B", " text/plain ", "text/plain;charset=utf-8", `Text/Plain ; Charset="utf-8"`, "a/b;x=1;y=2", "a/b;y=2;x=1", "a/b;;x=1;", "a/b;x", "a/b;x=", "a/b;=1",
		`a/b;x=""`, `a/b;x="1`, `a/b;x="1\`, `a/b;x="u\tf-8"`, `a/b;x="\""`, `a/b;x="a;b=c"`, "a/b;x=1 y=2", "a/b;x =1", "a/b; x= 1", "a/b;x=1;x=1", "a/b;x=1;X=2",
		"a/b;x*=utf-8''%e2%82%ac", "a/b;x*0=1;x*1=2", "a/b/c", "ä/b", "a/b;x=ä", `a/b;x="ä"`, "a/b\u00a0", "a/b;\vx=1", "K/b", "application/problem+json", "+json",
		"multipart/form-data; boundary=XX", `multipart/form-data; boundary="a b"`, "a/b" + strings.Repeat(";p=1", 9), "a/b;a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1", "form-data; name=x",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ours := parseMediaType(text)
		if ours.count > maxMediaParams || ours.name == "" && ours.count > 0 || !strings.Contains(text, ours.whole) {
			t.Fatalf("%+q: %+v", text, ours)
		}
		if !slices.IsSortedFunc(ours.params[:ours.count], func(a, b mediaParam) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) }) {
			t.Fatalf("%+q: the parameters are not sorted: %+v", text, ours.params[:ours.count])
		}
		few := strings.Count(quotedString.ReplaceAllLiteralString(text, ""), "=") <= maxMediaParams
		if legal := few && mediaGrammar.MatchString(text); legal != (ours.name != "") {
			t.Fatalf("%+q follows the grammar: %v; it is read as %+v", text, legal, ours)
		}
		name, params, err := mime.ParseMediaType(text)
		unlike := func(r rune) bool { return r == '\\' || r == '*' || r > '~' || r < ' ' && r != '\t' }
		if err != nil || ours.name == "" || strings.ContainsFunc(text, unlike) {
			return
		}
		read := map[string]string{}
		for _, p := range ours.params[:ours.count] {
			read[strings.ToLower(p.name)] = p.value
		}
		if strings.ToLower(ours.name) != name || !maps.Equal(read, params) {
			t.Fatalf("%+q is %q %q, mime reads %q %q", text, ours.name, read, name, params)
		}
		again := parseMediaType(mime.FormatMediaType(name, params))
		if a, b := string(ours.appendTo(nil, true)), string(again.appendTo(nil, true)); a != b && ours.count == len(params) && !strings.ContainsAny(b, `\*`) {
			t.Fatalf("%+q counts as %q, but as mime writes it, %+q, as %q", text, a, again.whole, b)
		}
	})
}
