// Package retry is the client's loop, for any transport: how often and when an operation is sent again, and what its sender knows in the end.
//
// [Table] says of every way in which an attempt can end whether the loop stops, tries again or polls, and what the attempt proves.
// [Do] runs it; an [Error] carries the fate. Package oncehttp builds its client on it.
package retry
