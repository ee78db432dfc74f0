package sidecar

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/onceward/onceward"
)

// watch is what the proxy tells: metrics and the log.
type watch struct {
	log      *slog.Logger
	registry *prometheus.Registry

	outcomes *prometheus.CounterVec   // by route and outcome
	added    *prometheus.HistogramVec // by route
	inFlight prometheus.Gauge
	refused  prometheus.Counter
	alarms   *prometheus.CounterVec
	reloads  *prometheus.CounterVec
	store    *prometheus.HistogramVec // by operation and result
}

func newWatch(log *slog.Logger) *watch {
	w := &watch{
		log:      log,
		registry: prometheus.NewRegistry(),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "onceward_operations_total", Help: "Keyed requests by how they ended.",
		}, []string{"route", "outcome"}),
		added: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "onceward_added_seconds", Help: "Time of a keyed request in the proxy, without the upstream's share and the time in which the client sends its body.",
			Buckets: []float64{.0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1, .5, 1, 5},
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "onceward_in_flight", Help: "Keyed requests under way."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "onceward_over_limit_total", Help: "Keyed requests turned away because max-in-flight were under way.",
		}),
		alarms: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "onceward_alarms_total", Help: "What a person should look at."}, []string{"alarm"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "onceward_reloads_total", Help: "Configurations read again, by result: used or refused.",
		}, []string{"result"}),
		store: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "onceward_store_seconds", Help: "Time of one call on the store.",
			Buckets: []float64{.00001, .00005, .0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5},
		}, []string{"call", "result"}),
	}
	w.registry.MustRegister(w.outcomes, w.added, w.inFlight, w.refused, w.alarms, w.reloads, w.store)
	return w
}

// observer tells what happens on a route.
func (w *watch) observer(route string) onceward.Observer {
	o := onceward.LogObserver(w.log)
	logCall, logAlarm := o.Call, o.Alarm
	outcomes := w.outcomes.MustCurryWith(prometheus.Labels{"route": route})
	saved, replayed := outcomes.WithLabelValues("saved"), outcomes.WithLabelValues("replayed") // almost all of them
	o.Call = func(ctx context.Context, e onceward.CallEvent) {
		switch outcome := outcomeOf(e); outcome {
		case "saved":
			saved.Inc()
		case "replayed":
			replayed.Inc()
		default:
			outcomes.WithLabelValues(outcome).Inc()
		}
		logCall(ctx, e)
	}
	o.Alarm = func(ctx context.Context, e onceward.AlarmEvent) {
		w.alarms.WithLabelValues(string(e.Alarm)).Inc()
		logAlarm(ctx, e)
	}
	return o
}

// refusal tells of a request that was turned away before the guard saw it. Strangers cause them at will, so the log has them for debugging only.
func (w *watch) refusal(ctx context.Context, route, problem string, err error) {
	w.outcomes.WithLabelValues(route, problem).Inc()
	w.log.LogAttrs(ctx, slog.LevelDebug, "refused", slog.String("route", route), slog.String("problem", problem), slog.String("error", err.Error()))
}

// ends names how a call without a reply ended.
var ends = []struct {
	err  error
	name string
}{
	{onceward.ErrKeyReused, "key-reused"}, {onceward.ErrInProgress, "in-progress"}, {onceward.ErrOutcomeUnknown, "outcome-unknown"},
	{onceward.ErrNotExecuted, "not-executed"}, {onceward.ErrReplyNotKept, "reply-not-kept"}, {onceward.ErrKeyExpired, "key-expired"},
	{onceward.ErrReplyNotSaved, "reply-not-saved"}, {onceward.ErrStoreUnavailable, "store-unavailable"}, {onceward.ErrClosed, "closed"},
}

func outcomeOf(e onceward.CallEvent) string {
	switch {
	case e.Err != nil:
		for _, end := range ends {
			if errors.Is(e.Err, end.err) {
				return end.name
			}
		}
		return "refused"
	case e.Replayed:
		return "replayed"
	case e.Standing == onceward.Saved:
		return "saved"
	case e.Standing == onceward.Freed:
		return "freed"
	}
	return "doubted"
}
