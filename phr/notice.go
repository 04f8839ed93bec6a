package phr

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// FromNow tells Notices to begin with what happens from now on.
	FromNow = math.MaxUint64

	// noticeSilence is how long a gateway may say nothing: some of its heartbeats.
	noticeSilence = time.Minute
	// noticeFirst and noticeLast are the pauses before all gateways are tried again: the first, and the longest.
	noticeFirst, noticeLast = time.Second, 30 * time.Second
	// maxNotice bounds a line of a stream.
	maxNotice = 64 << 10
)

// Notice says that something happened which concerns the account, and nothing about anybody's health. [Client.Entry] reads the rest, where
// the account may.
type Notice struct {
	// Sequence of the entry in the log; what comes next is asked for with it.
	Sequence uint64 `json:"sequence"`
	// Height and Time of the block.
	Height int64     `json:"height"`
	Time   time.Time `json:"time"`
	// Kind of the entry: proposed, approved, released and so on.
	Kind string `json:"kind"`
	// Outcome is "ok" or "refused".
	Outcome string `json:"outcome"`
	// Unlock is the id of the unlock or the emergency; empty where there is none.
	Unlock string `json:"unlock,omitempty"`
	// Records are the ids of the records.
	Records []string `json:"records,omitempty"`
}

// Notices tells what happens that concerns the account, in the order of the log, each once: its own entries, the unlocks that it is a
// party to, and to guardians the emergencies and recoveries of whom they guard. It begins after a sequence, 0 for all there is, or FromNow.
// Where a gateway goes away it goes on at the next one behind what it told last, for as long as ctx lives; an error is the last thing it
// tells, and says that the account may not be told.
func (c *Client) Notices(ctx context.Context, after uint64) iter.Seq2[Notice, error] {
	return func(yield func(Notice, error) bool) {
		// Without the others' addresses there is the one gateway.
		_ = c.learn(ctx)
		stopped := false
		tell := func(n Notice) bool {
			stopped = !yield(n, nil)
			return !stopped
		}
		for pause := noticeFirst; ; pause = min(2*pause, noticeLast) {
			before := after
			err := c.followOnce(ctx, &after, tell)
			if stopped {
				return
			}
			if ctx.Err() != nil {
				yield(Notice{}, context.Cause(ctx))
				return
			}
			if !errors.Is(err, ErrUnreachable) {
				yield(Notice{}, err)
				return
			}
			if after != before {
				pause = noticeFirst
			}
			if sleep(ctx, pause) != nil {
				yield(Notice{}, context.Cause(ctx))
				return
			}
		}
	}
}

// followOnce reads the stream of the first gateway that answers to its end, which is an error. after is moved to the last id read.
func (c *Client) followOnce(ctx context.Context, after *uint64, tell func(Notice) bool) error {
	var first error
	for _, d := range c.order() {
		err := d.follow(ctx, after, tell)
		if err == nil || ctx.Err() != nil || !errors.Is(err, ErrUnreachable) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// follow reads one stream. Without an error the reader has had enough.
func (d *door) follow(ctx context.Context, after *uint64, tell func(Notice) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(noticeSilence, func() { cancel(fmt.Errorf("no word for %s", noticeSilence)) })
	defer silence.Stop()
	header := http.Header{"Accept": {"text/event-stream"}}
	if *after != FromNow {
		header.Set("Last-Event-ID", strconv.FormatUint(*after, 10))
	}
	resp, err := d.request(ctx, http.MethodGet, "/notices", header, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = readEvents(resp.Body, func(id uint64, data []byte) (bool, error) {
		silence.Reset(noticeSilence)
		if len(data) == 0 {
			*after = id
			return true, nil
		}
		var n Notice
		if err := json.Unmarshal(data, &n); err != nil {
			return false, fmt.Errorf("notice: %w", err)
		}
		if *after != FromNow && n.Sequence <= *after {
			return true, nil
		}
		*after = n.Sequence
		return tell(n), nil
	})
	if err == nil {
		return nil
	}
	return d.unreachable(ctx, err)
}

// readEvents reads server-sent events (HTML, section 9.2.6), as far as gateways write them, until told no more: then it returns nil. The end
// of the stream is an error.
func readEvents(r io.Reader, event func(id uint64, data []byte) (more bool, err error)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxNotice)
	var id uint64
	var data []byte
	identified := false
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			parsed, err := strconv.ParseUint(value, 10, 63)
			if err != nil {
				return fmt.Errorf("id of an event: %w", err)
			}
			id, identified = parsed, true
		case "data":
			data = append(data, value...)
		}
		if lines.Text() != "" || !identified {
			continue
		}
		if more, err := event(id, data); !more || err != nil {
			return err
		}
		data, identified = nil, false
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}
