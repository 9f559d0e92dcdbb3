package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver that the product uses
)

// table is what a classic design would write: a row a submission, into a table with
// a primary key and an index that makes retries safe. PostgreSQL's COPY has no
// counterpart in SQLite; the nearest is a prepared insert of many rows, a
// transaction of rowsACommit of them, in WAL mode with synchronous=FULL.
type table struct {
	db     *sql.DB
	nation *nation
	next   int64
}

const (
	rowsAStatement = 100
	rowsACommit    = 1000
	tableColumns   = 6
)

const createTable = `CREATE TABLE IF NOT EXISTS submission (
	id BIGINT PRIMARY KEY, unit TEXT NOT NULL, target TEXT NOT NULL, period TEXT NOT NULL,
	value BIGINT NOT NULL, request_id TEXT NOT NULL, UNIQUE (unit, request_id)) WITHOUT ROWID`

func openTable(ctx context.Context, dir string) (process, error) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "table.db")+
		"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=cache_size(-65536)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, createTable); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &table{db: db, nation: newNation()}, nil
}

// rows inserts o.Rows rows, or as many as it can within o.For.
func (t *table) rows(o order) (a answer, err error) {
	one := "(" + strings.Repeat(",?", tableColumns)[1:] + ")"
	insert, err := t.db.Prepare("INSERT INTO submission (id, unit, target, period, value, request_id) VALUES " +
		strings.Repeat(","+one, rowsAStatement)[1:])
	if err != nil {
		return a, err
	}
	defer insert.Close()
	began := time.Now()
	for a.Rows < int64(o.Rows) || o.Rows == 0 && time.Since(began) < o.For {
		if err := t.commit(insert); err != nil {
			return a, fmt.Errorf("insert rows: %w", err)
		}
		a.Rows += rowsACommit
	}
	a.Took = time.Since(began)
	return a, nil
}

func (t *table) commit(insert *sql.Stmt) error {
	tx, err := t.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit there is nothing to undo
	in := tx.Stmt(insert)
	args := make([]any, 0, rowsAStatement*tableColumns)
	for range rowsACommit / rowsAStatement {
		args = args[:0]
		for range rowsAStatement {
			c := t.nation.random(t.next)
			args = append(args, t.next, c.unit, names.target[c.target], names.period[c.period], t.next%1500, requestID(t.next))
			t.next++
		}
		if _, err := in.Exec(args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (t *table) addr() string { return "" }

func (t *table) tell(*answer) {}

func (t *table) close() error { return t.db.Close() }
