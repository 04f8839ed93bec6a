package index

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble"

	"github.com/phrd/phrd/internal/concern"
	"github.com/phrd/phrd/x/audit"
)

// ties are what the log has said of whose a record and an unlock are: who stored a record keeps
// custody of it, and an unlock is of the hospital that asked. What a batch adds is not in the
// database before the batch is.
type ties struct {
	rows  *rows
	fresh map[string]uint64
}

func (r *rows) ties() *ties { return &ties{rows: r, fresh: map[string]uint64{}} }

// of is the hospital of a key, 0 where the log has said none.
func (t *ties) of(key []byte) (uint64, error) {
	if hospital, ok := t.fresh[string(key)]; ok {
		return hospital, nil
	}
	value, err := t.rows.get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return 0, nil
	}
	return number(value), err
}

// learn writes what an entry says of whose something is.
func (t *ties) learn(batch *pebble.Batch, e audit.Entry) error {
	if e.Hospital == 0 || e.Outcome != audit.OUTCOME_OK {
		return nil
	}
	var keys [][]byte
	switch e.Kind {
	case audit.KindStored:
		for _, s := range e.Subjects {
			keys = append(keys, prefix(custodianTag, s.Record))
		}
	case audit.KindProposed, audit.KindEmergencyRequested:
		if e.Unlock != "" {
			keys = append(keys, prefix(askerTag, e.Unlock))
		}
	}
	value := binary.BigEndian.AppendUint64(nil, e.Hospital)
	var err error
	for _, key := range keys {
		t.fresh[string(key)] = e.Hospital
		err = errors.Join(err, batch.Set(key, value, nil))
	}
	return err
}

// concerned are the hospitals that an entry concerns beside the actor's own, each once.
func (t *ties) concerned(e audit.Entry) ([]uint64, error) {
	hospitals := []uint64{concern.Member(e.Kind, e.Target)}
	keys := make([][]byte, 0, len(e.Subjects)+1)
	for _, s := range e.Subjects {
		keys = append(keys, prefix(custodianTag, s.Record))
	}
	if e.Unlock != "" {
		keys = append(keys, prefix(askerTag, e.Unlock))
	}
	for _, key := range keys {
		hospital, err := t.of(key)
		if err != nil {
			return nil, err
		}
		hospitals = append(hospitals, hospital)
	}
	slices.Sort(hospitals)
	return slices.DeleteFunc(slices.Compact(hospitals), func(h uint64) bool { return h == 0 || h == e.Hospital }), nil
}
