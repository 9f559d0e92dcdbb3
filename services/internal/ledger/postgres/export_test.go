package postgres

import "context"

// Statements are all that run while a ledger is open.
func Statements() []string {
	return []string{appendSQL, roomSQL, headSQL, blocksSQL, clockSQL, turnSQL, unturnSQL, settingsSQL, versionSQL, fitSQL}
}

// Setting is what a session's setting is when a ledger's connection is made.
func Setting(ctx context.Context, c Config, name string) (value string, err error) {
	con, err := newConnector(c, 1)
	if err != nil {
		return "", err
	}
	db := con.pool(1, nil, nil)
	defer db.Close()
	return value, db.QueryRowContext(ctx, "SELECT current_setting($1)", name).Scan(&value)
}

// PageSize is how many blocks are read at once after an entry, and their bytes.
func PageSize(ctx context.Context, s *Store, after, end uint64) (blocks, bytes int, err error) {
	rows, err := s.page(ctx, after, end, pageBlocks)
	for _, r := range rows {
		bytes += len(r.Body)
	}
	return len(rows), bytes, err
}
