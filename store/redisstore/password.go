package redisstore

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/redis/rueidis"
)

// credentials are what stands before the hosts; alone says that there is a user and no password.
func credentials(text string) (user, password string, alone bool, err error) {
	user, password, two := strings.Cut(text, ":")
	if user, err = url.PathUnescape(user); err == nil {
		password, err = url.PathUnescape(password)
	}
	if err != nil {
		return "", "", false, errors.New("user or password cannot be read: " + escape)
	}
	return user, password, !two, nil
}

// passwordVariable is what redis-cli reads, too.
const passwordVariable = "REDISCLI_AUTH"

// secrets fetches the passwords that do not stand in the URL.
func secrets(o *rueidis.ClientOption, alone bool, values url.Values) (err error) {
	file := values.Get("password-file")
	switch {
	case file != "" && o.Password != "":
		return errors.New("password-file: there is a password already")
	case file != "":
		o.Password, err = passwordIn(file)
	case alone: // redis://password@host is not what other tools read
		if o.Password = os.Getenv(passwordVariable); o.Password == "" {
			return errors.New("there is a user without a password: use password-file or $" + passwordVariable + ", or write user:password@, or :password@ for the default user")
		}
	}
	if file = values.Get("sentinel-password-file"); file != "" && err == nil {
		o.Sentinel.Password, err = passwordIn(file)
	}
	return err
}

func passwordIn(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("password-file: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", fmt.Errorf("password-file: the first line of %s is empty", file)
	}
	return line, nil
}
