package inprocess

import (
	"testing"

	"github.com/onceward/onceward/bench/rounds"
)

func one(b *testing.B, c rounds.Contender) {
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		if c.Prepare != nil {
			c.Prepare(50000)
		}
		b.StartTimer()
		c.Round(50000)
	}
}

func BenchmarkNew(b *testing.B)    { one(b, fresh("new", opaque, 1)) }
func BenchmarkReplay(b *testing.B) { one(b, replay("replay", opaque, 1)) }
func BenchmarkClient(b *testing.B) { one(b, ourClient()) }
