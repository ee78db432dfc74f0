package storetest

import "github.com/onceward/onceward/store"

var sealCases = []Case{
	{"S1_the_watermark_never_goes_back", s1},
	{"S1_each_service_has_its_own", s1Services},
	{"S2_records_are_untouched", s2},
}

func s1(w *world) {
	at := w.now()
	for _, c := range []struct{ until, want store.Time }{
		{at - 10, at - 10}, {at, at}, {at, at}, {at - 5, at}, {1, at}, {at + 7, at + 7}, {at, at + 7},
	} {
		expect(w, "the watermark that Seal answers", w.seal("orders", c.until), c.want)
		expect(w, "the watermark in Stats", w.stats("orders").Watermark, c.want)
		expect(w, "the watermark in an answer", w.get(w.key()).Watermark, c.want)
	}
	w.want(w.claim(w.stamped(at+7), w.token()), store.Expired)
	w.want(w.claim(w.stamped(at+8), w.token()), store.Granted)
}

func s1Services(w *world) {
	at := w.now()
	w.seal("orders", at)
	expect(w, "another service's watermark", w.stats("refunds").Watermark, 0)
	expect(w, "another service's watermark, sealed", w.seal("refunds", at-9), at-9)
	expect(w, "the first one's", w.stats("orders").Watermark, at)
	expect(w, "the watermark of all services", w.stats("").Watermark, 0)
}

func s2(w *world) {
	at := w.now()
	done, open := w.complete(w.stamped(at)), w.want(w.claim(w.stamped(at), w.token()), store.Granted)
	lapsed := w.want(w.claim(w.stamped(at), w.token(), w.brief), store.Granted)
	unknown := w.unknownStamped()
	w.seal("orders", w.now().Add(long))
	for _, r := range []store.Record{done, open, lapsed, unknown} {
		w.same(r)
	}
	w.want(w.claim(done.Identity, w.token()), store.Replay)
	w.want(w.claim(lapsed.Identity, w.token()), store.Expired)
	w.want(w.claim(unknown.Identity, w.token()), store.Unknown)
	w.want(w.advance(store.OpComplete, open.Identity, open.Token), store.Applied)
	w.want(w.advance(store.OpComplete, lapsed.Identity, lapsed.Token), store.Applied)
	w.want(w.advance(store.OpComplete, unknown.Identity, unknown.Token), store.Applied)
}
