package scenario_test

import (
	"os"
	"testing"

	"github.com/phrd/phrd/testutil/scenario"
)

func TestMain(m *testing.M) { os.Exit(scenario.Main(m)) }
