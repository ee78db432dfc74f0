-- The business's tables. onceward's own are made by pgstore.Migrate, in the same database.

CREATE TABLE accounts (
    name    text PRIMARY KEY,
    opening bigint NOT NULL,
    cents   bigint NOT NULL CHECK (cents >= 0)
);

-- One row for each movement of money. The reference is not unique on purpose: this table books twice whatever comes twice,
-- so that counting its rows proves something.
CREATE TABLE bookings (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    debit     text   NOT NULL REFERENCES accounts,
    credit    text   NOT NULL REFERENCES accounts,
    cents     bigint NOT NULL CHECK (cents > 0),
    reference text   NOT NULL
);

-- The outbox: what the provider is still to be told, written in the transaction that takes the money.
CREATE TABLE payouts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key         text   NOT NULL UNIQUE, -- the operation's child key: the same in every try, and the provider's Idempotency-Key
    account     text   NOT NULL REFERENCES accounts,
    beneficiary text   NOT NULL,
    cents       bigint NOT NULL,
    reference   text   NOT NULL,
    state       text   NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'paid', 'declined')),
    payment     text,                   -- the provider's name for it
    tries       int    NOT NULL DEFAULT 0,
    due         timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX payouts_due ON payouts (due) WHERE state = 'pending';
