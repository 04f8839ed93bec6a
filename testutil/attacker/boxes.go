package attacker

import (
	"context"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// boxes tries to take the owner's half out of emergency boxes: out of the record's own, where it has one, and out of those of other
// records, grafted onto this one.
func (a *attack) boxes() error {
	generations, err := a.generations()
	if err != nil {
		return err
	}
	for i, h := range a.Public.Versions {
		block, err := a.Blocks.Get(context.Background(), h.Envelope)
		if err != nil {
			return err
		}
		other, err := h.OpenEnvelope(block)
		if err != nil {
			return err
		}
		path := "box lifted from another version"
		if a.header.Envelope == a.Public.Versions[i].Envelope {
			path = "box of the version"
		}
		a.tried[path]++
		if other.Emergency == nil {
			continue
		}
		grafted := *a.env
		grafted.Emergency = other.Emergency
		for _, point := range a.emergencyPoints(other.Emergency.U) {
			for _, generation := range generations {
				a.openBoxes(path+" by "+point.path, &grafted, generation, point.k)
				// Opened where it belongs, its entries are those of another version.
				if entries, err := other.OpenBox(h, generation, point.k); err == nil {
					a.openEntries(path+" by "+point.path, entries)
				}
			}
		}
	}
	return nil
}

// generations are gen of both keys.
func (a *attack) generations() ([][64]byte, error) {
	emergency, err := a.Public.Emergency.Hash()
	if err != nil {
		return nil, err
	}
	records, err := a.Public.Key.Hash()
	return [][64]byte{emergency, records}, err
}

// emergencyPoints are guesses of the network's half of a box: by the shares of the emergency key, and whatever was guessed for the records
// key.
func (a *attack) emergencyPoints(u lock.Point) []point {
	var shares []lock.SecretShare
	for _, home := range a.Homes {
		shares = append(shares, home.EmergencyShare)
	}
	points := append([]point(nil), a.points...)
	if secret, err := lock.Interpolate(shares); err == nil {
		points = append(points, point{"shares of the emergency key", u.Mul(secret)})
	}
	return points
}

func (a *attack) openBoxes(path string, e *seal.Envelope, generation [64]byte, k lock.Point) {
	a.tried[path]++
	entries, err := e.OpenBox(a.header, generation, k)
	if err != nil {
		return
	}
	a.openEntries(path, entries)
}

// openEntries tries every key on every entry.
func (a *attack) openEntries(path string, entries []seal.BoxEntry) {
	for by, key := range a.vaultKeys() {
		for _, entry := range entries {
			a.tried[path+" and "+by]++
			if p, err := a.header.OpenBoxEntry(entry, key); err == nil {
				a.halves = append(a.halves, half{path + " and " + by, p})
			}
		}
	}
}
