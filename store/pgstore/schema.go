package pgstore

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// SchemaVersion is the version of the schema that this build is made for.
const SchemaVersion = 1

// DefaultSchema is the schema in which the tables are unless a Config says otherwise.
const DefaultSchema = "onceward"

// Migration is one step from an empty database to [SchemaVersion].
type Migration struct {
	Version int
	Name    string // of its file
	SQL     string // several statements, to be run in one transaction
}

// Migrations returns all steps, in order, for tables in the given schema; "" is [DefaultSchema]. They are for one's own migration tool;
// [Migrate] runs those that are missing.
func Migrations(schema string) ([]Migration, error) {
	schema, err := schemaName(schema)
	if err != nil {
		return nil, err
	}
	paths, err := fs.Glob(schemaFiles, "schema/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var all []Migration
	for _, path := range paths {
		text, err := schemaFiles.ReadFile(path)
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(path, "schema/")
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("pgstore: %s: its name must begin with its version: %w", path, err)
		}
		all = append(all, Migration{Version: version, Name: name, SQL: defaultName.ReplaceAllString(string(text), schema)})
	}
	return all, nil
}

var (
	defaultName = regexp.MustCompile(`\b` + DefaultSchema + `\b`)
	legalName   = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
)

// schemaName fills in the default, and makes sure that the name can stand in a statement as it is.
func schemaName(schema string) (string, error) {
	if schema == "" {
		return DefaultSchema, nil
	}
	if !legalName.MatchString(schema) {
		return "", fmt.Errorf("Schema is %q: it must be 1 to 63 lower-case letters, digits and underscores, and not begin with a digit", schema)
	}
	return schema, nil
}
