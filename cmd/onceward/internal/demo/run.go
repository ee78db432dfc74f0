package demo

import "context"

// Run sends the transfers of cfg twice through the same faults, first with naive retries, then with onceward. Its error says that
// a run could not be made or was stopped by ctx; what the runs have shown is judged by [Report.Verdict].
func Run(ctx context.Context, cfg Config) (Report, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	orders := orderTransfers(cfg.Seed, cfg.Requests)

	without := newTrial(cfg, "naive", orders)
	if err := without.run(ctx, unguarded, newNaive(without)); err != nil {
		return Report{}, err
	}
	with := newTrial(cfg, "onceward", orders)
	half := guarded(with)
	if cfg.unguarded {
		half = unguarded
	}
	if err := with.run(ctx, half, newKeyed(with)); err != nil {
		return Report{}, err
	}
	return Report{
		Seed: cfg.Seed, Wanted: len(orders), Clients: cfg.Clients, Loss: cfg.Loss,
		Naive: without.tally(), Onceward: with.tally(), example: pickExample(orders, without.diary, with.diary),
	}, nil
}
