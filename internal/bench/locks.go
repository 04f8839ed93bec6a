package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/phrd/phrd/lock"
)

// Seven holders, of whom five open.
const (
	holders   = 7
	threshold = 5
	// operations is how often a round repeats each operation.
	operations = 50
)

// locks measures row 12: processor time of the chain's and the reader's checks.
func (b *bench) locks(ctx context.Context) ([]row, error) {
	indexes := make([]uint64, holders)
	for i := range indexes {
		indexes[i] = uint64(i + 1)
	}
	dealt, err := lock.Deal(threshold, indexes, rand.Reader)
	if err != nil {
		return nil, err
	}
	generation := lock.Generation{Network: lock.Network{1}, Kind: lock.KeyRecords, Number: 1, X: dealt.X}
	gen, err := generation.Hash()
	if err != nil {
		return nil, err
	}
	capsule, err := lock.NewEncapsulation(generation, rand.Reader)
	if err != nil {
		return nil, err
	}
	version := lock.LockedVersion{
		Context: [64]byte{1}, Generation: gen, U: capsule.U, UBar: capsule.UBar, Pc: make([]byte, 32),
		Envelope: lock.RawCID([32]byte{1}), Object: lock.DagCID([32]byte{2}), OwnKeys: [][32]byte{{1}},
	}
	label, err := version.Label()
	if err != nil {
		return nil, err
	}
	proof, err := capsule.Prove(label, rand.Reader)
	if err != nil {
		return nil, err
	}
	session, err := lock.GenerateSession(rand.Reader)
	if err != nil {
		return nil, err
	}
	release := lock.Release{Network: generation.Network, Unlock: [32]byte{1}, Generation: gen, M: []lock.Point{session.Blind(capsule.U)}}
	var shares []lock.Share
	for _, secret := range dealt.Shares[:threshold] {
		s, err := release.NewShare(1, secret.Index, secret.Value, rand.Reader)
		if err != nil {
			return nil, err
		}
		shares = append(shares, s)
	}
	committee := lock.Committee{Epoch: 1, Threshold: threshold, Holders: dealt.Holders}
	repeat := func(operation func() error) func(context.Context) error {
		return func(context.Context) error {
			for range operations {
				if err := operation(); err != nil {
					return err
				}
			}
			return nil
		}
	}
	samples, err := interleave(ctx, b.rounds,
		repeat(func() error { return release.Verify(shares[0], dealt.Holders[0].X) }),
		repeat(func() error {
			combined, err := session.Combine(release, []lock.Committee{committee}, shares)
			if err == nil && !combined.K[0].Equal(capsule.K) {
				err = fmt.Errorf("combined another key")
			}
			return err
		}),
		repeat(func() error { return version.Verify(proof) }))
	if err != nil {
		return nil, err
	}
	return []row{
		{number: "12", what: "milliseconds of processor time: check of a share", target: "≤ 0.7", measured: cpuEach(samples[0]).String()},
		{number: "12", what: "combine 5 of 7, each share checked", target: "≤ 1 beside the five checks", measured: cpuEach(samples[1]).String()},
		{number: "12", what: "check of a stored version's proof", target: "≤ 0.6", measured: cpuEach(samples[2]).String()},
	}, nil
}

// cpuEach is the processor time of one operation in milliseconds.
func cpuEach(samples []sample) spread {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = float64(s.cpu) / float64(time.Millisecond) / operations
	}
	return spreadOf(values)
}
