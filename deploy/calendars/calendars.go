// Package calendars holds the days off of countries, as `cotmoc apply -f` takes them.
package calendars

import _ "embed"

//go:embed viet-nam.yaml
var vietNam []byte

// VietNam returns viet-nam.yaml.
func VietNam() []byte { return append([]byte(nil), vietNam...) }
