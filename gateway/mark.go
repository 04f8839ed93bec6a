package gateway

import (
	"crypto/sha256"
	"errors"
	"fmt"
)

const (
	// frameBegan and frameEnded are reports with a mark before them. Where the chain has the report of a session that has not ended, frameBegan
	// stands without it.
	frameBegan byte = 3
	frameEnded byte = 4

	// maxMarked is how many sessions one frame ends.
	maxMarked = 64
)

// A mark is what a report of the journal does to sessions: one begins, or some end. Both stand in one frame, so that a crash leaves both or
// neither. The zero mark is that of a report about something else.
type mark struct {
	kind byte // frameBegan, frameEnded or 0
	keys []sessionKey
	// account is that of the session that begins.
	account string
}

func began(key sessionKey, account string) mark {
	return mark{kind: frameBegan, keys: []sessionKey{key}, account: account}
}

func ended(keys ...sessionKey) mark { return mark{kind: frameEnded, keys: keys} }

// frame is the kind of the frame, and how its body begins: for frameBegan with the session's key, the length of the account in one byte, and the
// account; for frameEnded with the number of the keys in one byte, and the keys.
func (m mark) frame() (kind byte, head []byte) {
	switch m.kind {
	case frameBegan:
		head = append(append(head, m.keys[0][:]...), byte(len(m.account)))
		return frameBegan, append(head, m.account...)
	case frameEnded:
		head = append(head, byte(len(m.keys)))
		for _, key := range m.keys {
			head = append(head, key[:]...)
		}
		return frameEnded, head
	default:
		return frameReport, nil
	}
}

var errMark = errors.New("frame ends within its mark")

// cutMark reads the mark at the start of a frame's body, and returns the report behind it.
func cutMark(kind byte, body []byte) (m mark, rest []byte, err error) {
	take := func(n int) (part []byte) {
		if len(body) < n {
			err = fmt.Errorf("kind %d: %w", kind, errMark)
			return make([]byte, n)
		}
		part, body = body[:n], body[n:]
		return part
	}
	m.kind = kind
	count := 1
	if kind == frameEnded {
		count = int(take(1)[0])
	}
	for range count {
		m.keys = append(m.keys, sessionKey(take(sha256.Size)))
	}
	if kind == frameBegan {
		m.account = string(take(int(take(1)[0])))
	}
	return m, body, err
}

// follow changes which sessions have begun and not ended, by their accounts.
func (m mark) follow(open map[sessionKey]string) {
	for _, key := range m.keys {
		if m.kind == frameBegan {
			open[key] = m.account
		} else {
			delete(open, key)
		}
	}
}
