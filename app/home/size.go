package home

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrSize says that a text is no size.
var ErrSize = errors.New("want a size like 500GB or 2TiB")

// ParseSize reads a size in bytes such as 500GB, 2TiB or 0.
func ParseSize(text string) (uint64, error) {
	if text == "0" {
		return 0, nil
	}
	units := []struct {
		suffix string
		factor uint64
	}{
		{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"PiB", 1 << 50},
		{"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"PB", 1e15}, {"B", 1},
	}
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		// 32 bits of the largest unit do not fit; nobody has as much.
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 32)
		if err != nil || n > maxSize/u.factor {
			break
		}
		return n * u.factor, nil
	}
	return 0, fmt.Errorf("%q: %w", text, ErrSize)
}

// maxSize is the largest size that is taken; signed numbers hold it.
const maxSize = 1<<63 - 1
