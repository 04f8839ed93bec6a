package phr_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/phr"
)

// telling serves notices with these sequences that follow what the reader has, and ends the stream. It adds what readers came with.
func telling(asked *[]string, sequences ...uint64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		last := r.Header.Get("Last-Event-ID")
		*asked = append(*asked, last)
		after, err := strconv.ParseUint(last, 10, 64)
		if err != nil {
			after = sequences[0] - 1
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, ":\nid: %d\n\n", after)
		for _, s := range sequences {
			if s > after {
				fmt.Fprintf(w, "id: %d\nevent: proposed\ndata: {\"sequence\":%d,\"kind\":\"proposed\",\"outcome\":\"ok\"}\n\n", s, s)
			}
		}
	}
}

// A reader whose gateway goes away goes on at another one, behind what it was told last, and is told nothing twice.
func TestNoticesGoOnAtAnotherGateway(t *testing.T) {
	n := newNetwork(t)
	officer := n.staff(consortiumv1.Role_ROLE_OFFICER, 1)
	var first, second []string
	n.gates[1].notices = telling(&first, 5, 7)
	n.gates[2].notices = telling(&second, 5, 7, 8, 12)
	n.gates[3].notices, n.gates[4].notices = n.gates[2].notices, n.gates[2].notices
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	enough := errors.New("enough")
	var told []uint64
	for notice, err := range officer.Notices(ctx, phr.FromNow) {
		if err != nil {
			require.ErrorIs(t, err, enough)
			break
		}
		told = append(told, notice.Sequence)
		switch notice.Sequence {
		case 7:
			n.gates[1].down()
		case 12:
			cancel(enough)
		}
	}
	require.Equal(t, []uint64{5, 7, 8, 12}, told)
	require.Equal(t, []string{""}, first)
	require.Equal(t, "7", second[0])
}

// Who may not be told hears so at once, and a reader that has had enough stops.
func TestNoticesEnd(t *testing.T) {
	n := newNetwork(t)
	officer := n.staff(consortiumv1.Role_ROLE_OFFICER, 1)
	n.gates[1].notices = func(w http.ResponseWriter, _ *http.Request) { problem(w, http.StatusForbidden, "no") }
	for _, err := range officer.Notices(t.Context(), phr.FromNow) {
		require.ErrorIs(t, err, phr.ErrForbidden)
	}
	var asked []string
	n.gates[1].notices = telling(&asked, 1, 2, 3)
	for notice, err := range officer.Notices(t.Context(), 1) {
		require.NoError(t, err)
		require.EqualValues(t, 2, notice.Sequence)
		break
	}
	require.Equal(t, []string{"1"}, asked)
}
