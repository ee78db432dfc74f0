package adminapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/onceward/onceward/oncehttp"
	"github.com/onceward/onceward/store"
)

const routeKeys = "/keys"

// Filter selects records. What is left out is not asked for.
type Filter struct {
	Class              string // unknown, open or done; "": the unknown first, then the open
	Service, Principal string
	Before             time.Time // first seen before
	Cursor             string
	Limit              int // of one page, 1 to store.MaxPage
}

// Page reads one page of a listing.
func (c *Client) Page(ctx context.Context, f Filter) (page oncehttp.AdminPage, err error) {
	query := values(map[string]string{"class": f.Class, "service": f.Service, "principal": f.Principal, "cursor": f.Cursor})
	if !f.Before.IsZero() {
		query.Set("before", f.Before.UTC().Format(time.RFC3339Nano))
	}
	query.Set("limit", strconv.Itoa(f.Limit))
	err = c.ask(ctx, "/records", query, nil, nil, &page)
	return page, err
}

// Now reads the store's clock.
func (c *Client) Now(ctx context.Context) (time.Time, error) {
	page, err := c.Page(ctx, Filter{Class: store.ClassUnknown.String(), Limit: 1})
	if err == nil && page.Now.IsZero() {
		err = &Failure{Kind: Wrong, Detail: "this server does not tell its store's time: it is older than this command"}
	}
	return page.Now, err
}

// Name names an operation: by its ID, or by the rest.
type Name struct{ ID, Service, Principal, Key string }

// Show reads an operation with its whole audit trail.
func (c *Client) Show(ctx context.Context, who Name, reply bool) (out oncehttp.AdminShowing, err error) {
	query := values(map[string]string{"id": who.ID, "service": who.Service, "principal": who.Principal})
	header := http.Header{}
	if who.Key != "" { // the header stays out of access logs
		header.Set(oncehttp.HeaderKey, strconv.Quote(who.Key))
	}
	if reply {
		query.Set("reply", "true")
	}
	if err := c.ask(ctx, routeKeys, query, header, nil, &out); err != nil {
		return out, err
	}
	for out.Next != "" {
		var more oncehttp.AdminTrail
		query := values(map[string]string{"id": out.Record.ID, "cursor": out.Next})
		query.Set("limit", strconv.Itoa(store.MaxPage))
		if err := c.ask(ctx, "/trail", query, nil, nil, &more); err != nil {
			return out, err
		}
		out.Trail, out.Next = append(out.Trail, more.Entries...), more.Next
	}
	return out, nil
}

// Resolve settles an unknown operation.
func (c *Client) Resolve(ctx context.Context, q Resolution) (oncehttp.AdminDecision, error) {
	return c.decide(ctx, "/resolve", q)
}

// Resolution is [oncehttp.AdminResolve] with the reply as somebody has written it: the server shall see what stands there twice.
type Resolution struct {
	oncehttp.AdminRelease

	Happened bool            `json:"happened"`
	Attested bool            `json:"attested"`
	Reply    json.RawMessage `json:"reply,omitempty"`
}

// Release frees a claim that lapsed before its start.
func (c *Client) Release(ctx context.Context, q oncehttp.AdminRelease) (oncehttp.AdminDecision, error) {
	return c.decide(ctx, "/release", q)
}

// Cancel makes sure that what has not started will not run.
func (c *Client) Cancel(ctx context.Context, q oncehttp.AdminOperation) (oncehttp.AdminDecision, error) {
	return c.decide(ctx, "/cancel", q)
}

func (c *Client) decide(ctx context.Context, route string, q any) (out oncehttp.AdminDecision, err error) {
	err = c.ask(ctx, route, nil, nil, q, &out)
	return out, err
}

func values(from map[string]string) url.Values {
	query := url.Values{}
	for name, value := range from {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}
