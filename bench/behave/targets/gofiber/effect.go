package gofiber

import (
	"bufio"
	"bytes"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v3"

	"github.com/onceward/onceward/bench/behave/contract"
)

// effect is contract.Effect in fiber's own terms.
func effect(d *contract.Desk) fiber.Handler {
	return func(c fiber.Ctx) error {
		// What a fiber.Ctx returns is only valid in the handler; the ledger keeps it.
		query := string(c.Request().URI().QueryString())
		values, err := url.ParseQuery(query)
		if err != nil {
			return fiber.NewError(fiber.StatusBadRequest, "malformed query")
		}
		s := contract.ParseScript(values)
		run := d.Enter(s.Op, !s.NoEffect)
		d.Hold(s.Hold)
		if s.Panic {
			panic("as the script says")
		}
		if s.NoEffect && s.Status >= 400 { // an error is how a fiber handler tells the middleware that there is nothing to remember
			return fiber.NewError(s.Status)
		}
		body := s.Body(contract.Receipt{Op: s.Op, Run: run, Principal: strings.Clone(c.Get(contract.HeaderPrincipal)),
			Method: strings.Clone(c.Method()), Path: strings.Clone(c.Path()), Query: query, Sum: contract.Sum(c.Body())})
		return reply(c, d, s, body)
	}
}

func reply(c fiber.Ctx, d *contract.Desk, s contract.Script, body []byte) error {
	h := &c.Response().Header
	for _, f := range s.Header {
		h.Add(f[0], f[1])
	}
	for _, name := range s.TrailerNames() {
		if err := h.AddTrailer(name); err != nil {
			return err
		}
	}
	for _, f := range s.Trailer {
		h.Add(f[0], f[1])
	}
	c.Status(s.Status)
	switch {
	case s.Status == fiber.StatusNoContent || s.Status == fiber.StatusNotModified:
		return nil
	case s.Flush:
		return c.SendStreamWriter(func(w *bufio.Writer) {
			for i, part := range contract.Parts(body) {
				_, _ = w.Write(part) // the client may be gone
				_ = w.Flush()
				if i == 0 {
					d.Hold(s.Pause)
				}
			}
		})
	case s.Short > 0:
		return c.SendStream(bytes.NewReader(body), len(body)+s.Short)
	case s.Copy, len(s.Trailer) > 0:
		return c.SendStream(bytes.NewReader(body))
	}
	return c.Send(body)
}
