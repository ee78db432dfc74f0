package pebble

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	Child()
	os.Exit(m.Run())
}

func TestMillion(t *testing.T) {
	n := 300000
	m, err := MeasureMillion("", n)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", m)
}
