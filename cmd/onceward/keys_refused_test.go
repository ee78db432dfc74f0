package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// What was looked at is what is decided about: a record that has changed since is refused, and left alone.
func TestKeysDecideOnlyAboutTheVersionThatWasLookedAt(t *testing.T) {
	stations(t, func(t *testing.T, s *station) {
		_, id := s.unknown("alice")
		looked := s.at(id)
		version := s.record(id).Record.Version
		other := []string{"--yes", "--version", fmt.Sprint(version + 1), "--reason", reason}
		for _, how := range [][]string{{"--did-not-happen"}, {"--happened", "--no-reply"}} {
			keys(t, append(append([]string{"resolve", id}, how...), other...)...).
				ends(t, exitConflict, "changed since that version", "Nothing was changed", fmt.Sprintf("now unknown, at version %d", version))
		}
		_, claim := s.claimed("alice")
		keys(t, "release", claim, "--yes", "--version", "7", "--reason", reason).ends(t, exitConflict, "Nothing was changed")
		s.untouched(id, "unknown")
		s.untouched(claim, "claimed")

		// Somebody else was faster.
		keys(t, append([]string{"resolve", id, "--happened", "--no-reply"}, looked...)...).ends(t, 0)
		keys(t, append([]string{"resolve", id, "--did-not-happen"}, looked...)...).ends(t, exitConflict, "done already", "now done:reply-not-kept")
		if trail := s.record(id).Trail; len(trail) != 1 {
			t.Errorf("the trail: %v", trail)
		}
	})
}

// Where nobody sits at a terminal, nothing is decided without --yes, and with it only what names the version.
func TestKeysAskFirst(t *testing.T) {
	s := memoryStation(t)
	_, id := s.unknown("alice")
	_, claim := s.claimed("alice")
	for what, args := range map[string][]string{
		"resolve": {"resolve", id, "--did-not-happen"}, "happened": {"resolve", id, "--happened", "--no-reply"},
		"release": {"release", claim}, "cancel": {"cancel", claim},
	} {
		o := keys(t, append(args, "--reason", reason)...).ends(t, exitUnconfirmed, "--yes")
		if !strings.Contains(o.notes, args[1]) || o.out != "" {
			t.Errorf("%s: it does not show what it is about: %q %q", what, o.notes, o.out)
		}
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		cmd := command(t, append(append([]string{"keys"}, args...), "--reason", reason)...)
		cmd.Stdin = null
		if out, err := cmd.CombinedOutput(); exitCode(t, err) != exitUnconfirmed || !strings.Contains(string(out), "say --yes") {
			t.Errorf("%s with the null device: %v, %s", what, err, out)
		}
		_ = null.Close()
	}
	keys(t, "resolve", id, "--did-not-happen", "--reason", reason, "--yes").ends(t, exitWrong, "--version")
	keys(t, "release", claim, "--reason", reason, "--yes").ends(t, exitWrong, "--version")
	s.untouched(id, "unknown")
	s.untouched(claim, "claimed")
}

// Whatever is wrong with a command line is found before anything is asked, and no value comes back: it may be a key.
func TestKeysWrongCommandLines(t *testing.T) {
	s := memoryStation(t)
	asked := false
	s.before(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = true
			next.ServeHTTP(w, r)
		})
	})
	id, good := strings.Repeat("ab", 32), file(t, receipt)
	decide := "--reason r --yes --version 1"
	for line, want := range map[string]string{
		"nothing":                         "unknown command",
		"list surplus":                    "argument too many",
		"list --state claimed":            `--state is "claimed"`,
		"list --limit 0":                  "--limit is 0",
		"list --limit x":                  "--limit takes no such value",
		"list --older-than -1h":           "--older-than",
		"list -o yaml":                    `--output is "yaml"`,
		"list --princpal alice":           "unknown flag: --princpal",
		"list --timeout 0s":               "--timeout",
		"list --actor \x1b":               "--actor",
		"list --admin ftp://h":            "--admin is not understood",
		"list --admin http://u:secret@h/": "--admin is not understood",
		"list --headers /no/such/file":    "--headers",
		"show":                            "which operation",
		"show secret":                     "is no id",
		"show " + id + " secret":          "more than one argument",
		"show " + id + " --key secret":    "either",
		"show --service s --principal p":  "which operation",
		"show --service s --principal p --key se\u00e9":                              "--key",
		"resolve " + id + " --did-not-happen":                                        "--reason is missing",
		"resolve " + id + " " + decide:                                               "either --happened or --did-not-happen",
		"resolve " + id + " --happened " + decide:                                    "--reply FILE or --no-reply",
		"resolve " + id + " --happened --did-not-happen":                             "either --happened or",
		"resolve " + id + " --happened --no-reply --reply " + good + " " + decide:    "either --reply FILE or --no-reply",
		"resolve " + id + " --did-not-happen --no-reply " + decide:                   "go with --happened",
		"resolve " + id + " --did-not-happen --reply " + good + " " + decide:         "go with --happened",
		"resolve " + id + " --happened --no-reply --attested " + decide:              "--attested goes with",
		"resolve " + id + " --happened --reply /no/such/file " + decide:              "--reply",
		"resolve " + id + " --happened --reply " + file(t, "created") + " " + decide: "not a reply",
		"resolve " + id + " --happened --reply - --reason r":                         "--reply - needs --yes",
		"release " + id:                                  "--reason is missing",
		"cancel " + id + " --yes":                        "--reason is missing",
		"cancel " + id + " --version 1 --yes --reason r": "unknown flag: --version",
	} {
		o := keys(t, strings.Split(line, " ")...).ends(t, exitWrong, want)
		if strings.Contains(fmt.Sprint(o.err), "secret") || o.out != "" {
			t.Errorf("keys %s: %v, %q", line, o.err, o.out)
		}
	}
	for _, blank := range []string{"", " \t"} {
		keys(t, "resolve", id, "--did-not-happen", "--yes", "--version", "1", "--reason", blank).ends(t, exitWrong, "--reason is missing")
	}
	t.Setenv(adminVariable, "")
	keys(t, "list").ends(t, exitWrong, "no admin API: use --admin, or set "+adminVariable)
	t.Setenv(adminVariable, "mailto:secret")
	keys(t, "list").ends(t, exitWrong, adminVariable+" is not understood")
	if asked {
		t.Error("the server was asked")
	}
}

// The server's own refusals of a request are those of a wrong command line too.
func TestKeysServerRefusesTheReply(t *testing.T) {
	s := memoryStation(t)
	_, id := s.unknown("alice")
	for _, reply := range []string{`{"status":200,"status":500}`, `{"body":"x"}`, `{"status":200,"header":[{"name":"Set-Cookie","value":"c"}]}`, `{"status":200,"bdy":"x"}`} {
		keys(t, append([]string{"resolve", id, "--happened", "--reply", file(t, reply)}, s.at(id)...)...).ends(t, exitWrong)
	}
	s.untouched(id, "unknown")
}

func TestKeysKnowNothingOfIt(t *testing.T) {
	stations(t, func(t *testing.T, s *station) {
		keys(t, "show", strings.Repeat("ab", 32)).ends(t, exitMissing, "nothing is known")
		keys(t, "resolve", strings.Repeat("ab", 32), "--did-not-happen", "--reason", reason).ends(t, exitMissing)
		o := keys(t, "show", "--service", "payouts", "--principal", "alice", "--key", minted(t)).ends(t, exitMissing, "no record")
		if !strings.Contains(o.out, "absent: there is no record of it") {
			t.Errorf("%s", o.out)
		}
		key, id := s.claimed("alice") // freed: only the trail knows it
		keys(t, append([]string{"release", id}, s.at(id)...)...).ends(t, 0)
		for _, args := range [][]string{{"show", id}, {"show", "--service", "payouts", "--principal", "alice", "--key", key}} {
			if o := keys(t, args...).ends(t, 0); !strings.Contains(o.out, "released by "+olga) {
				t.Errorf("%s", o.out)
			}
		}
	})
}
