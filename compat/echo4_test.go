package compat

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// guardEcho4 is echo.WrapMiddleware with the two things that docs/middleware-order.md asks for.
func guardEcho4(once wrapper) echo.MiddlewareFunc {
	wrapped := echo.WrapMiddleware(once)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		guarded := wrapped(func(c echo.Context) error {
			if err := next(c); err != nil {
				c.Error(err)
			}
			return nil
		})
		return func(c echo.Context) error {
			outer := c.Response()
			defer c.SetResponse(outer)
			return guarded(c)
		}
	}
}

func serveEcho4(_ *testing.T, once wrapper, s *shop) http.Handler {
	return echo4(guardEcho4(once), s)
}

func echo4(once echo.MiddlewareFunc, s *shop) *echo.Echo {
	e := echo.New()
	e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{DisablePrintStack: true}))
	e.POST("/orders", func(c echo.Context) error {
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
	e.POST("/stream", func(c echo.Context) error {
		s.stream(func(text string) { io.WriteString(c.Response(), text) }, c.Response().Flush)
		return nil
	}, once)
	e.GET("/orders", func(c echo.Context) error { return c.NoContent(http.StatusOK) }, once)
	return e
}
