package main

import (
	"bytes"
	"compress/gzip"
	"crypto/md5" //nolint:gosec // the format of the file md5sums, by which dpkg --verify finds damage
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// place is where a file of the repository goes. A name that ends in .gz is compressed on its way.
type place struct {
	from, to string
	mode     fs.FileMode
}

// places is all that is copied. Files in etc/ are the administrator's, and stay as they are at upgrades.
var places = []place{
	{"packaging/debian/onceward-proxy.service", "usr/lib/systemd/system/onceward-proxy.service", 0o644},
	{"packaging/debian/proxy.yaml", "etc/onceward/proxy.yaml", 0o644},
	{"packaging/debian/default", "etc/default/onceward", 0o640},
	{"packaging/debian/onceward.1", "usr/share/man/man1/onceward.1.gz", 0o644},
	{"packaging/debian/onceward-proxy.8", "usr/share/man/man8/onceward-proxy.8.gz", 0o644},
	{"packaging/debian/copyright", "usr/share/doc/onceward/copyright", 0o644},
	{"packaging/debian/lintian-overrides", "usr/share/lintian/overrides/onceward", 0o644},
	{"packaging/debian/postinst", "DEBIAN/postinst", 0o755},
	{"packaging/debian/prerm", "DEBIAN/prerm", 0o755},
	{"packaging/debian/postrm", "DEBIAN/postrm", 0o755},
	{"CHANGELOG.md", "usr/share/doc/onceward/NEWS.gz", 0o644},
	{"docs/proxy.md", "usr/share/doc/onceward/proxy.md", 0o644},
	{"docs/operations.md", "usr/share/doc/onceward/operations.md", 0o644},
	{"docs/problems.md", "usr/share/doc/onceward/problems.md", 0o644},
	{"docs/protocol.md", "usr/share/doc/onceward/protocol.md", 0o644},
	{"docs/guarantees.md", "usr/share/doc/onceward/guarantees.md", 0o644},
}

// lay puts the package's files below tree.
func (o order) lay(tree string) error {
	licenses, err := o.licenses()
	if err != nil {
		return err
	}
	program, err := os.ReadFile(o.binary)
	if err != nil {
		return err
	}
	l := layout{order: o, tree: tree}
	l.put("usr/bin/onceward", program, 0o755)
	for _, p := range places {
		text, err := os.ReadFile(filepath.Join(o.root, p.from))
		if err != nil {
			return err
		}
		if strings.HasPrefix(p.to, "usr/share/man/") {
			text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("@VERSION@"), []byte(o.version)), []byte("@DATE@"), []byte(o.at.Format("2006-01-02")))
		}
		l.put(p.to, text, p.mode)
	}
	l.put("usr/share/doc/onceward/licenses.gz", licenses, 0o644)
	l.put("usr/share/doc/onceward/changelog.gz", []byte(o.changelog()), 0o644)
	l.put("DEBIAN/control", []byte(o.control(l.size)), 0o644)
	l.put("DEBIAN/conffiles", []byte(l.conffiles), 0o644)
	l.put("DEBIAN/md5sums", []byte(l.sums), 0o644)
	if l.err != nil {
		return l.err
	}
	return filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error { // whatever the umask and the clock say
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o755)
		}
		if err != nil {
			return err
		}
		return os.Chtimes(path, o.at, o.at)
	})
}

// layout is a package that is being laid out.
type layout struct {
	order

	tree            string
	size            int // bytes
	sums, conffiles string
	err             error
}

// put writes a file, and notes what dpkg wants to know of it.
func (l *layout) put(to string, text []byte, mode fs.FileMode) {
	if l.err != nil {
		return
	}
	if strings.HasSuffix(to, ".gz") {
		text, l.err = compressed(text)
	}
	path := filepath.Join(l.tree, to)
	for _, step := range []func() error{
		func() error { return os.MkdirAll(filepath.Dir(path), 0o755) },
		func() error { return os.WriteFile(path, text, mode) },
		func() error { return os.Chmod(path, mode) },
	} {
		if l.err == nil {
			l.err = step()
		}
	}
	switch {
	case strings.HasPrefix(to, "DEBIAN/"):
		return
	case strings.HasPrefix(to, "etc/"):
		l.conffiles += "/" + to + "\n"
	default:
		l.sums += fmt.Sprintf("%x  %s\n", md5.Sum(text), to) //nolint:gosec // see the import
	}
	l.size += len(text)
}

func compressed(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text)
	if err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}
