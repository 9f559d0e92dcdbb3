package postgres

import "context"

// Statements are all that run while a ledger is open.
func Statements() []string {
	return []string{appendSQL, headSQL, blocksSQL, clockSQL, turnSQL, unturnSQL, settingsSQL, versionSQL, fitSQL}
}

// Setting is what a session's setting is when a ledger's connection is made.
func Setting(ctx context.Context, c Config, name string) (value string, err error) {
	con, err := newConnector(c, 1)
	if err != nil {
		return "", err
	}
	db := con.pool(1, nil)
	defer db.Close()
	return value, db.QueryRowContext(ctx, "SELECT current_setting($1)", name).Scan(&value)
}
