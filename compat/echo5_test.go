package compat

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"
)

// guardEcho5 is guardEcho4 for the next version of Echo.
func guardEcho5(once wrapper) echo.MiddlewareFunc {
	wrapped := echo.WrapMiddleware(once)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		guarded := wrapped(func(c *echo.Context) error {
			if err := next(c); err != nil {
				c.Echo().HTTPErrorHandler(c, err)
			}
			return nil
		})
		return func(c *echo.Context) error {
			outer := c.Response()
			defer c.SetResponse(outer)
			return guarded(c)
		}
	}
}

func serveEcho5(_ *testing.T, once wrapper, s *shop) http.Handler {
	return echo5(guardEcho5(once), s)
}

func echo5(once echo.MiddlewareFunc, s *shop) *echo.Echo {
	e := echo.New()
	e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{DisablePrintStack: true}))
	e.POST("/orders", func(c *echo.Context) error {
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		made, err := s.order(c.Request().Context(), body)
		var no *refusal
		if errors.As(err, &no) {
			return echo.NewHTTPError(no.status, no.text)
		}
		c.Response().Header().Set("Location", made.location())
		return c.JSON(http.StatusCreated, made)
	}, once)
	e.POST("/stream", func(c *echo.Context) error {
		s.stream(func(text string) { io.WriteString(c.Response(), text) }, func() { http.NewResponseController(c.Response()).Flush() })
		return nil
	}, once)
	e.GET("/orders", func(c *echo.Context) error { return c.NoContent(http.StatusOK) }, once)
	return e
}
