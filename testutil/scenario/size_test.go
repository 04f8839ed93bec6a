package scenario_test

import (
	"errors"
	"testing"

	"github.com/phrd/phrd/app/home"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "0B": 0, "1B": 1, "20GiB": 20 << 30, "500GB": 500e9, "2 TiB": 2 << 40, "3kB": 3000, "4KiB": 4096, "7PiB": 7 << 50, "1MB": 1e6, "9223PB": 9223e15,
	} {
		if got, err := home.ParseSize(text); err != nil || got != want {
			t.Errorf("%q is %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GiB", "20", "-1GiB", "1.5GiB", "20 gib", "4294967296B", "20GiB ", "0x10B", "8192PiB", "9224PB"} {
		if got, err := home.ParseSize(text); !errors.Is(err, home.ErrSize) {
			t.Errorf("%q is %d, %v", text, got, err)
		}
	}
}
