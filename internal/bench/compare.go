package main

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// A sample is one run: the time it took and the processor time of this process and its children.
type sample struct{ wall, cpu time.Duration }

// interleave runs all sides once in each round, in turn, and answers the samples of each side.
func interleave(ctx context.Context, rounds int, sides ...func(context.Context) error) ([][]sample, error) {
	samples := make([][]sample, len(sides))
	for range rounds {
		for i, side := range sides {
			before, err := cpuTime()
			if err != nil {
				return nil, err
			}
			started := time.Now()
			if err := side(ctx); err != nil {
				return nil, err
			}
			wall := time.Since(started)
			after, err := cpuTime()
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], sample{wall: wall, cpu: after - before})
		}
	}
	return samples, nil
}

func cpuTime() (time.Duration, error) {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var usage syscall.Rusage
		if err := syscall.Getrusage(who, &usage); err != nil {
			return 0, fmt.Errorf("read processor time: %w", err)
		}
		sum += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	return sum, nil
}

// spread is a median with its extremes.
type spread struct{ median, low, high float64 }

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	return spread{median: sorted[len(sorted)/2], low: sorted[0], high: sorted[len(sorted)-1]}
}

func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f … %.2f)", s.median, s.low, s.high) }

// rates answers how much faster a was than the slowest of the others, round by round: time of the slowest by time of a.
func rates(a []sample, others ...[]sample) spread {
	values := make([]float64, len(a))
	for i := range a {
		slowest := others[0][i].wall
		for _, o := range others[1:] {
			slowest = max(slowest, o[i].wall)
		}
		values[i] = slowest.Seconds() / a[i].wall.Seconds()
	}
	return spreadOf(values)
}

// throughput is the MiB a second of samples that moved that many bytes.
func throughput(size int64, samples []sample) spread {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = float64(size) / (1 << 20) / s.wall.Seconds()
	}
	return spreadOf(values)
}

// cpuPer is the processor seconds for each unit of bytes.
func cpuPer(unit float64, size int64, samples []sample) spread {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = s.cpu.Seconds() / (float64(size) / unit)
	}
	return spreadOf(values)
}
