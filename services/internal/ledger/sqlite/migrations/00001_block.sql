-- +goose Up
CREATE TABLE block (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL CHECK (last >= first),
    time  INTEGER NOT NULL, -- microseconds since 1970 UTC
    epoch INTEGER NOT NULL,
    level INTEGER NOT NULL,
    hash  BLOB    NOT NULL, -- the chain after the last entry
    body  BLOB    NOT NULL  -- all of it, in the ledger's own encoding
);

-- +goose Down
DROP TABLE block;
