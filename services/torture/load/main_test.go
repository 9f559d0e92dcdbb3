package load_test

import (
	"os"
	"testing"

	"github.com/cotmoc/cotmoc/services/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
