-- +goose Up
CREATE TABLE block (
    first BIGINT PRIMARY KEY,
    last  BIGINT NOT NULL CHECK (last >= first),
    time  BIGINT NOT NULL, -- microseconds since 1970 UTC
    epoch BIGINT NOT NULL,
    level BIGINT NOT NULL,
    hash  BYTEA  NOT NULL, -- the chain after the last entry
    body  BYTEA  NOT NULL  -- all of it, in the ledger's own encoding
);
-- Bodies are compressed already.
ALTER TABLE block ALTER COLUMN body SET STORAGE EXTERNAL;

-- +goose Down
DROP TABLE block;
