package pgstore

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5/pgtype/zeronull"
)

var placeholder = regexp.MustCompile(`\$\d+`)

// inline writes parameters into one of our own statements. Bytes from outside become hexadecimal digits, which no setting of the server and no encoding
// can read as anything else; the only strings are durations of ours.
func inline(statement string, args ...any) string {
	return placeholder.ReplaceAllStringFunc(statement, func(name string) string {
		n, _ := strconv.Atoi(name[1:])
		return literal(args[n-1])
	})
}

func literal(arg any) string {
	switch a := arg.(type) {
	case []byte:
		if a == nil {
			return "NULL"
		}
		return "decode('" + hex.EncodeToString(a) + "', 'hex')"
	case string:
		return "'" + a + "'"
	case bool:
		return strconv.FormatBool(a)
	case int64:
		return number(a)
	case int32:
		return number(int64(a))
	case int16:
		return number(int64(a))
	case zeronull.Int8:
		return numberOrNull(int64(a))
	case zeronull.Int2:
		return numberOrNull(int64(a))
	}
	panic(fmt.Sprintf("pgstore: no literal for a %T", arg)) // a mistake of ours, that every test finds
}

// number stands in parentheses: -1::bigint would be the negative of a cast.
func number(n int64) string { return "(" + strconv.FormatInt(n, 10) + ")" }

func numberOrNull(n int64) string {
	if n == 0 {
		return "NULL"
	}
	return number(n)
}
