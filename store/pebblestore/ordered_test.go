package pebblestore

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// What a marker can name is in the folder for good before the marker is.
func TestMarkersComeLast(t *testing.T) {
	mem := vfs.NewCrashableMem()
	f, err := mem.Create("MANIFEST-000009", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := orderedFS{mem}.Create("marker.manifest.000001.MANIFEST-000009", vfs.WriteCategoryUnspecified)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	names, err := mem.CrashClone(vfs.CrashCloneCfg{}).List("")
	if err != nil || len(names) != 1 || names[0] != "MANIFEST-000009" {
		t.Errorf("after a loss of power there are %v, %v; want the manifest, and the marker not yet", names, err)
	}
}
