// Package gofiber is the idempotency middleware of gofiber/fiber v3 as a target of package behave, in the best configuration that its options
// allow. Nothing is wrapped around it that its documentation does not offer.
package gofiber

import (
	"net"
	"strings"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"
	"github.com/gofiber/fiber/v3/middleware/idempotency"
	recovery "github.com/gofiber/fiber/v3/middleware/recover"

	"github.com/onceward/onceward/bench/behave/contract"
)

const (
	lifetime      = 24 * time.Hour
	shortLifetime = time.Second // it counts in seconds
	bodyLimit     = 32 << 20    // also the limit of what it stores of a reply: the default of 4 MiB would run longer ones again
)

// Start starts the target: two servers that share a storage. Each has its own lock, since the only one that fiber ships is in-process.
func Start() (contract.Running, error) {
	shared := newStorage()
	l, err := contract.Listen()
	if err != nil {
		return contract.Running{}, err
	}
	other, err := contract.Listen()
	if err != nil {
		l.Close()
		return contract.Running{}, err
	}
	site := contract.Site{
		About: contract.About{Name: "gofiber/fiber v3", Version: fiber.Version, Store: true,
			Window: int(shortLifetime / time.Millisecond), Twin: contract.BaseURL(other)},
		Desk:  contract.NewDesk(),
		Store: shared.switchTo,
	}
	one, two := serve(l, site, shared), serve(other, site, shared)
	return contract.Running{URL: contract.BaseURL(l), Stop: func() {
		one()
		two()
	}}, nil
}

func serve(l net.Listener, site contract.Site, shared *storage) (stop func()) {
	app := fiber.New(fiber.Config{BodyLimit: bodyLimit})
	app.Use(recovery.New(), mark)
	app.Use(contract.PathShort, guard(newStorage(), shortLifetime))
	app.Use(contract.PathEffect, guard(shared, lifetime))
	for _, path := range []string{contract.PathEffect, contract.PathOther, contract.PathShort, contract.PathPlain} {
		app.All(path, effect(site.Desk))
	}
	app.Use(adaptor.HTTPHandler(site.Controls()))
	go func() { _ = app.Listener(l, fiber.ListenConfig{DisableStartupMessage: true}) }() // ends with stop
	return func() { _ = app.ShutdownWithTimeout(time.Second) }
}

// guard is the middleware under test: the header's standard name, any key that is clearly one key, all headers of the reply kept.
func guard(s *storage, lifetime time.Duration) fiber.Handler {
	return idempotency.New(idempotency.Config{
		KeyHeader:         "Idempotency-Key",
		KeyHeaderValidate: validate,
		Lifetime:          lifetime,
		Storage:           s,
	})
}

// validate refuses what could be two keys for one operation, or two operations for one key. The default accepts 36 bytes of any kind.
func validate(key string) error {
	odd := func(r rune) bool { return r < '!' || r > '~' || r == '"' || r == ',' }
	if len(key) > 255 || strings.IndexFunc(key, odd) >= 0 {
		return fiber.NewError(fiber.StatusBadRequest, "Idempotency-Key must be 1 to 255 visible ASCII characters without quotes and commas")
	}
	return nil
}

// mark tells a replay from an execution, with the function that the middleware has for it.
func mark(c fiber.Ctx) error {
	err := c.Next()
	if idempotency.IsFromCache(c) {
		c.Set("Idempotent-Replayed", "true")
	}
	return err
}
