package handlers

import "net/http"

// Health serves /healthz, /readyz and /metrics. Ready is a bot with at least one connection to Slack over which something
// came within the last 60 s.
func (b *Bot) Health() http.Handler { return b.Meters.Handler(b.pulse.ready) }
