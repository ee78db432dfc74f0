package simulation

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// line is a step of a history written by hand: from one moment to another, or, if they are the same, at once.
type line struct {
	from, to int64
	in       input
	out      output
}

func effectAt(t int64, key, n int) line {
	return line{2 * t, 2*t + 1, input{kind: happened, key: key, effect: n}, output{effect: n + 1}}
}

func askAt(t int64, key int) line { return line{2 * t, 2*t + 1, input{kind: asks, key: key}, output{}} }

func licenceAt(t int64, why licence) line {
	return line{2 * t, 2*t + 1, input{kind: licensed, licence: why}, output{}}
}

// from is a client's send of a key, with how it ended.
func from(t, until int64, key int, end string) line {
	return line{2 * t, 2*until + 1, input{kind: sent, key: key}, output{end: end, named: -1}}
}

// names makes it a send that was answered with effect n, or, below zero, with a refusal.
func (l line) names(n int) line {
	l.out.effect, l.out.named = n+1, n
	l.out.reply = string(rune('a' + n + 1))
	return l
}

func (l line) reply(text string) line { l.out.reply = text; return l }
func (l line) settles() line          { l.in.kind = settled; return l }
func (l line) another() line          { l.in.other = true; return l }

// TestGoodHistoriesPass: the promise forbids none of these.
func TestGoodHistoriesPass(t *testing.T) {
	for name, history := range map[string][]line{
		"nothing":                                      {},
		"an effect and its reply":                      {from(0, 9, 0, endAnswered).names(0), effectAt(5, 0, 0)},
		"an effect without a reply":                    {from(0, 9, 0, endUnknown), effectAt(20, 0, 0)},
		"a lost reply and a replay":                    {from(0, 9, 0, endUnknown), effectAt(5, 0, 0), from(10, 12, 0, endAnswered).names(0)},
		"two copies, one reply":                        {from(0, 9, 0, endAnswered).names(0), from(1, 8, 0, endAnswered).names(0), effectAt(5, 0, 0)},
		"unknown, then resolved":                       {from(0, 2, 0, endRecordUnknown), effectAt(3, 0, 0), from(4, 5, 0, endAnswered).names(0).settles(), from(6, 7, 0, endAnswered).names(0)},
		"unknown beside a reply":                       {from(0, 9, 0, endAnswered).names(0), from(0, 9, 0, endRecordUnknown), effectAt(5, 0, 0)},
		"not executed, and a new key":                  {from(0, 9, 0, endNotExecuted), from(10, 19, 1, endAnswered).names(0), effectAt(15, 1, 0)},
		"all sends refused, and sent again":            {from(0, 4, 0, endNotSent), askAt(5, 0), from(5, 9, 0, endAnswered).names(0), effectAt(7, 0, 0)},
		"found as not executed, unattested, and wrong": {from(0, 1, 0, endRecordNotExecuted).settles(), effectAt(3, 0, 0), from(5, 6, 0, endRecordNotExecuted)},
		"two effects of a doubted run":                 {effectAt(1, 0, 0), licenceAt(2, doubted), effectAt(3, 0, 1), from(4, 5, 0, endAnswered).names(1)},
		"a late copy of an unstamped key":              {effectAt(1, 0, 0), from(0, 2, 0, endAnswered).names(0), licenceAt(3, forgotten), effectAt(4, 0, 1), from(4, 5, 0, endAnswered).names(1)},
		"a cancel of a key that was forgotten":         {effectAt(1, 0, 0), licenceAt(3, forgotten), from(4, 5, 0, endNotExecuted).settles(), from(6, 7, 0, endRecordNotExecuted)},
		"a refusal, twice":                             {from(0, 1, 0, endAnswered).names(-1), from(2, 3, 0, endAnswered).names(-1)},
		"a refusal of which only the fact is left":     {from(0, 1, 0, endAnswered).names(-1), from(2, 3, 0, endNotKept)},
		"another request under the key comes first":    {effectAt(1, 0, 0).another(), from(0, 2, 0, endAnswered).names(0).another(), from(3, 4, 0, endUnknown)},
	} {
		if result := check(history); result != porcupine.Ok {
			t.Errorf("%s: %s", name, result)
		}
	}
}

// TestBadHistoriesAreRejected: a model that passes one of these proves nothing.
func TestBadHistoriesAreRejected(t *testing.T) {
	for name, history := range map[string][]line{
		"two effects":                                       {effectAt(1, 0, 0), effectAt(2, 0, 1)},
		"two effects under two keys":                        {effectAt(1, 0, 0), effectAt(2, 1, 1)},
		"a success without an effect":                       {from(0, 9, 0, endAnswered).names(0)},
		"a success before its effect":                       {from(0, 4, 0, endAnswered).names(0), effectAt(5, 0, 0)},
		"a success that names another key's effect":         {effectAt(1, 1, 0), from(0, 9, 0, endAnswered).names(0)},
		"a success that names nothing known":                {effectAt(1, 0, 0), from(0, 9, 0, endAnswered).names(0).unnamed()},
		"two replies":                                       {effectAt(1, 0, 0), from(0, 9, 0, endAnswered).names(0), from(10, 12, 0, endAnswered).names(0).reply("else")},
		"a reply, then unknown":                             {effectAt(1, 0, 0), from(0, 9, 0, endAnswered).names(0), from(10, 12, 0, endRecordUnknown)},
		"not executed, and it was":                          {effectAt(1, 0, 0), from(2, 3, 0, endNotExecuted)},
		"not executed, and it is later":                     {from(2, 3, 0, endNotExecuted), effectAt(9, 0, 0)},
		"all sends refused, and it was executed":            {effectAt(1, 0, 0), from(2, 3, 0, endNotSent)},
		"all sends refused, and it is executed unasked":     {from(2, 3, 0, endNotSent), effectAt(9, 0, 0)},
		"not executed, a new key, and both":                 {from(0, 1, 0, endNotExecuted), effectAt(2, 1, 0), effectAt(3, 0, 1)},
		"a refusal after an effect":                         {effectAt(1, 0, 0), from(2, 3, 0, endAnswered).names(-1)},
		"an effect after a refusal":                         {from(2, 3, 0, endAnswered).names(-1), effectAt(4, 0, 0)},
		"a cancel of what was executed":                     {effectAt(1, 0, 0), from(4, 5, 0, endNotExecuted).settles()},
		"executed, and nothing was":                         {from(2, 3, 0, endNotKept)},
		"found as not executed, then a success":             {from(0, 1, 0, endRecordNotExecuted).settles(), effectAt(3, 0, 0), from(5, 6, 0, endAnswered).names(0)},
		"a success, then found as not executed":             {effectAt(0, 0, 0), from(1, 2, 0, endAnswered).names(0), from(5, 6, 0, endRecordNotExecuted)},
		"more effects than doubted runs":                    {effectAt(1, 0, 0), licenceAt(2, doubted), effectAt(3, 0, 1), effectAt(4, 0, 2)},
		"the second effect before the doubt":                {effectAt(1, 0, 0), effectAt(2, 0, 1), licenceAt(3, doubted)},
		"a doubted run does not bring another reply":        {effectAt(1, 0, 0), from(0, 2, 0, endAnswered).names(0), licenceAt(3, doubted), effectAt(4, 0, 1), from(5, 6, 0, endAnswered).names(1)},
		"a doubted run does not reopen what is closed":      {from(0, 1, 0, endNotExecuted), licenceAt(3, doubted), effectAt(4, 0, 0)},
		"another request gets the first one's reply":        {effectAt(1, 0, 0), from(0, 2, 0, endAnswered).names(0), from(3, 4, 0, endAnswered).names(0).another()},
		"a request gets the reply of another under its key": {effectAt(1, 0, 0).another(), from(0, 2, 0, endAnswered).names(0)},
	} {
		if result := check(history); result != porcupine.Illegal {
			t.Errorf("%s: %s", name, result)
		}
	}
}

func (l line) unnamed() line { l.out.named = -1; return l }

func check(history []line) porcupine.CheckResult {
	operations := make([]porcupine.Operation, 0, len(history))
	for i, l := range history {
		operations = append(operations, porcupine.Operation{ClientId: i, Input: l.in, Output: l.out, Call: l.from, Return: l.to})
	}
	return porcupine.CheckOperationsTimeout(promise, operations, checking)
}
