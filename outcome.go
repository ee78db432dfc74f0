package onceward

// Outcome is how a function under an [Executor] ended. The zero Outcome is a doubt.
type Outcome struct {
	Ending Ending
	Reply  Reply // for this caller, whatever the ending; not used if Err is set
	Err    error // Free and Doubt without a reply
	Alone  bool  // Reply is not whole, or for this caller only: calls that wait in this process do not get it
}

// Ending is the kind of an [Outcome].
type Ending uint8

// The endings; the functions of the same names say what each means.
const (
	EndDoubt Ending = iota
	EndSave
	EndSaveNotKept
	EndReject
	EndFree
)

// Save is the normal end: the reply is the operation's answer, for ever.
func Save(r Reply) Outcome { return Outcome{Ending: EndSave, Reply: r} }

// SaveNotKept is Save for a reply that is too large to keep and has left already: the operation is done, later calls are
// told that its reply is gone.
func SaveNotKept(r Reply) Outcome { return Outcome{Ending: EndSaveNotKept, Reply: r} }

// Reject is a considered no: what was done is to be undone – a transaction rolls back, in record mode the function
// has undone it or never did it – but this answer is remembered.
func Reject(r Reply) Outcome { return Outcome{Ending: EndReject, Reply: r} }

// Free says that certainly nothing took effect: the caller gets the reply, the key is free and may run again.
func Free(r Reply) Outcome { return Outcome{Ending: EndFree, Reply: r} }

// FreeError is Free without a reply. A nil err is [ErrFreed].
func FreeError(err error) Outcome {
	if err == nil {
		err = ErrFreed
	}
	return Outcome{Ending: EndFree, Err: err}
}

// Doubt says that nobody can tell whether something took effect: the caller gets the reply; the record says unknown or is
// run again, as its policy has it. A transaction rolls back and is free.
func Doubt(r Reply) Outcome { return Outcome{Ending: EndDoubt, Reply: r} }

// DoubtError is Doubt without a reply. A nil err is [ErrOutcomeUnknown].
func DoubtError(err error) Outcome {
	if err == nil {
		err = ErrOutcomeUnknown
	}
	return Outcome{Ending: EndDoubt, Err: err}
}
