package sidecar

import (
	"net/http"
	"strings"
)

// tunnels lets no upgrade through but one to a WebSocket. What is switched to h2c or to another TLS session is HTTP again, and with it a stranger
// would speak to the upstream past the proxy: requests in it have the headers of whoever writes them, and no record.
func tunnels(h http.Header) {
	h.Del("Http2-Settings")
	if !strings.EqualFold(h.Get("Upgrade"), "websocket") {
		dropUpgrade(h)
	}
}

func dropUpgrade(h http.Header) {
	delete(h, "Connection")
	delete(h, "Upgrade")
}
