package demo

import "slices"

// example is one transfer and what really happened to it in both runs.
type example struct {
	transfer transfer
	naive    []event
	onceward []event
}

// The shapes that explain most with least: the first reply is lost, the second send is answered.
var (
	doubledLife = []step{
		stepSent, stepArrived, stepMoved, stepAnswered, stepDropped, stepEnded,
		stepSent, stepArrived, stepMoved, stepAnswered, stepEnded, stepSettled,
	}
	replayedLife = []step{
		stepSent, stepArrived, stepMoved, stepAnswered, stepDropped, stepEnded,
		stepSent, stepArrived, stepAnswered, stepEnded, stepSettled,
	}
)

// pickExample takes the first transfer whose lives have both shapes; otherwise the first that lost a reply with onceward
// after the money had moved; otherwise there is none, and the lives are empty.
func pickExample(orders []transfer, without, with *diary) example {
	var second example
	for _, t := range orders[:min(len(orders), diaryPages)] {
		e := example{t, without.life(t.number), with.life(t.number)}
		if slices.Equal(steps(e.naive), doubledLife) && slices.Equal(steps(e.onceward), replayedLife) {
			return e
		}
		if second.onceward == nil && lostReply(e.onceward) {
			second = e
		}
	}
	return second
}

// lostReply says whether the network dropped an exchange after the bank had answered it.
func lostReply(life []event) bool {
	for i, e := range life {
		if e.step == stepDropped && i > 0 && life[i-1].step == stepAnswered {
			return true
		}
	}
	return false
}
