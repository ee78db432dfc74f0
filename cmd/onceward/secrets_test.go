package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/onceward/onceward/store/pgstore/pgtest"
)

// whispered are the two halves of the password that no output may have.
const whispered, muttered = "whispered", "muttered"

// spoken fails if something of the password comes back.
func spoken(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(text, whispered) || strings.Contains(text, muttered) || strings.Contains(text, "4711") {
			t.Errorf("it repeats the password: %s", text)
		}
	}
}

// A connection string that cannot be used, or stands in the wrong place, comes back in no message, by no command.
func TestPasswordsAreNotRepeated(t *testing.T) {
	nobody := freeAddress(t)
	const secret = whispered + muttered
	dsns := []string{
		"postgres://u:" + secret + "@" + nobody + "/d",
		"postgres://" + nobody + "/d?user=u&password=" + secret + "&sslpassword=" + secret,
		"postgres://u:" + secret + "@127.0.0.1:no/d",
		"postgres://u:" + whispered + "/" + muttered + "@" + nobody + "/d",
		"postgres://u:4711/" + muttered + "@" + nobody + "/d",
		"postgres://u:" + whispered + "@" + muttered + "@" + nobody + "/d",
		"postgres://u:" + whispered + "#" + muttered + "@" + nobody + "/d?sslmode=nonsense",
		"postgres://u:" + whispered + "%zz" + muttered + "@" + nobody + "/d",
		"postgres://u:" + secret + "@" + nobody + "/d?connect_timeout=" + secret,
		"postgres://u:" + secret + "@" + nobody + "/d?pool_max_conns=" + secret,
		"postgers://u:" + secret + "@" + nobody + "/d",
		"host=127.0.0.1 user=u password=" + secret + " sslmode=nonsense",
		"host=127.0.0.1 user=u password = '" + whispered + " " + muttered,
		"host=127.0.0.1 port=1 user=u password=" + secret,
		"u:" + secret + "@" + nobody,
		secret,
	}
	commands := [][]string{
		{"migrate", "postgres", "--apply"},
		{"migrate", "postgres", "--print"},
		{"store", "seal", "postgres", "--service", "orders", "--until", "now", "--yes"},
	}
	for _, dsn := range dsns {
		for _, words := range commands {
			for name, o := range map[string]output{
				"environment":       onDatabase(t, dsn, words...),
				"flag":              onDatabase(t, "", append(words, "--dsn", dsn)...),
				"argument":          onDatabase(t, "", append(words, dsn)...),
				"misspelt flag":     onDatabase(t, "", append(words, "--dns="+dsn)...),
				"misspelt flag ...": onDatabase(t, "", append(words, "--dns", dsn)...),
				"one dash":          onDatabase(t, "", append(words, "-dsn="+dsn)...),
				"one dash ...":      onDatabase(t, "", append(words, "-dsn", dsn)...),
				"no name":           onDatabase(t, "", append(words, "--="+dsn)...),
				"another flag":      onDatabase(t, "", append(words, "--yes="+dsn, "--apply="+dsn)...),
				"group":             onDatabase(t, "", words[0], dsn),
				"group's flag":      onDatabase(t, "", words[0], "-dsn="+dsn),
				"first":             onDatabase(t, "", append([]string{"--dsn", dsn}, words...)...),
			} {
				if o.err == nil {
					t.Fatalf("%v with a bad connection string as %s: no error", words, name)
				}
				spoken(t, o.err.Error(), o.out, o.notes)
			}
		}
		for _, words := range commands {
			if o := onDatabase(t, dsn, append(words[:2:2], "--help")...); o.err != nil {
				t.Error(o.err)
			} else {
				spoken(t, o.out, o.notes)
			}
		}
	}
}

// The same from the outside: the process's own stderr, after the server has refused.
func TestPasswordsAreNotRepeatedByTheProcess(t *testing.T) {
	server := pgtest.Shared(t)
	url := strings.Replace(server.URL("no_such_database"), "postgres@", "postgres:"+whispered+"@", 1)
	cmd := command(t, "migrate", "postgres", "--apply")
	cmd.Env = append(cmd.Env, databaseVariable+"="+url)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	if code := exitCode(t, cmd.Run()); code != 1 || !strings.Contains(both.String(), "no_such_database") {
		t.Errorf("exit %d: %s", code, both.String())
	}
	spoken(t, both.String())
	// And where all goes well.
	good := strings.Replace(server.MustDatabase(t), "postgres@", "postgres:"+whispered+"@", 1)
	for _, words := range [][]string{{"migrate", "postgres", "--apply"}, {"store", "seal", "postgres", "--service", "orders", "--until", "now", "--yes"}} {
		o := onDatabase(t, good, words...)
		if o.err != nil {
			t.Error(o.err)
		}
		spoken(t, o.out, o.notes)
	}
}
