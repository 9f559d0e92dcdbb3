// Package e2e holds the tests of the whole: one text of cases, run against the pair
// in one process and against real processes, and tests of crashes and of many
// callers at once.
package e2e
