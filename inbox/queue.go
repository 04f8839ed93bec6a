package inbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Queue is what an inbox has to do and has done, as others see it.
type Queue struct {
	// Items by path.
	Items []Item `json:"items"`
	// At is when it was like this.
	At time.Time `json:"at"`
	// Running tells that an inbox is open with the journal.
	Running bool `json:"running"`
}

// queuePath is where the queue of a journal is written.
func queuePath(journal string) string { return journal + ".queue" }

// writeQueue replaces the file from which others read the queue, where something has changed.
func (b *Inbox) writeQueue() error {
	if !b.changed {
		return nil
	}
	encoded, err := json.Marshal(Queue{Items: b.Items(), At: time.Now().UTC()})
	if err != nil {
		return err
	}
	path := queuePath(b.config.Journal)
	if err := os.WriteFile(path+".new", encoded, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	b.changed = false
	return nil
}

// ReadQueue reads the queue of an inbox, which may be running. Where there never was one the queue is empty.
func ReadQueue(journal string) (Queue, error) {
	var q Queue
	encoded, err := os.ReadFile(queuePath(journal))
	if isGone(err) {
		return q, nil
	}
	if err != nil {
		return q, err
	}
	if err := json.Unmarshal(encoded, &q); err != nil {
		return q, fmt.Errorf("%s: %w", queuePath(journal), err)
	}
	q.Running, err = isLocked(journal)
	return q, err
}

// isLocked tells whether an inbox is open with a journal.
func isLocked(journal string) (bool, error) {
	f, err := os.Open(journal)
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}
