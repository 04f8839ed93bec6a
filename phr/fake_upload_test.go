package phr_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/phrd/phrd/lock"
)

// fakeUpload keeps the stream of one upload up to its last whole block.
type fakeUpload struct {
	stream  []byte
	blocks  int
	length  int64 // -1 until it is said
	patches int
}

// upload serves tus 1.0.0 with deferred length.
func (g *gate) upload(w http.ResponseWriter, r *http.Request) {
	id, cid, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/uploads"), "/"), "/blocks/")
	g.mu.Lock()
	u := g.uploads[id]
	g.mu.Unlock()
	switch {
	case r.Header.Get("Tus-Resumable") != "1.0.0" && r.Method != http.MethodGet:
		problem(w, http.StatusPreconditionFailed, "tus")
	case r.Method == http.MethodPost:
		g.mu.Lock()
		id := fmt.Sprintf("u%d", len(g.uploads)+1)
		g.uploads[id] = &fakeUpload{length: -1}
		g.mu.Unlock()
		w.Header().Set("Location", "/uploads/"+id)
		w.WriteHeader(http.StatusCreated)
	case u == nil:
		problem(w, http.StatusNotFound, "upload")
	case r.Method == http.MethodHead:
		w.Header().Set("Upload-Offset", strconv.Itoa(len(u.stream)))
	case r.Method == http.MethodDelete:
		g.mu.Lock()
		delete(g.uploads, id)
		g.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodPatch:
		g.patch(w, r, u)
	case cid != "":
		block := g.get(cid)
		if g.serve != nil {
			block = g.serve(r.URL.Path, append([]byte(nil), block...))
		}
		if block == nil {
			problem(w, http.StatusNotFound, "block")
			return
		}
		_, _ = w.Write(block)
	}
}

func (g *gate) patch(w http.ResponseWriter, r *http.Request, u *fakeUpload) {
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(u.stream)) {
		problem(w, http.StatusConflict, "offset")
		return
	}
	u.patches++
	received, buffer := 0, make([]byte, 64<<10)
	stream := append([]byte(nil), u.stream...)
	for {
		n, err := r.Body.Read(buffer)
		stream = append(stream, buffer[:n]...)
		received += n
		if g.cut != nil && g.cut(received) {
			u.stream = g.keep(stream, u)
			panic(http.ErrAbortHandler)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			u.stream = g.keep(stream, u)
			return
		}
	}
	u.stream = g.keep(stream, u)
	if length := r.Header.Get("Upload-Length"); length != "" {
		u.length, _ = strconv.ParseInt(length, 10, 64)
	}
	w.Header().Set("Upload-Offset", strconv.Itoa(len(u.stream)))
	w.WriteHeader(http.StatusNoContent)
}

// keep stores the whole blocks of a stream and returns it without a partial one.
func (g *gate) keep(stream []byte, u *fakeUpload) []byte {
	offset, first := 0, true
	u.blocks = 0
	for offset < len(stream) {
		size, n := binary.Uvarint(stream[offset:])
		if n <= 0 || uint64(len(stream)-offset-n) < size {
			break
		}
		section := stream[offset+n : offset+n+int(size)]
		if !first {
			cid, err := lock.CIDFromBytes(section[:36])
			if err != nil {
				g.net.t.Errorf("upload: %v", err)
				return nil
			}
			g.put(cid.String(), append([]byte(nil), section[36:]...))
			u.blocks++
		}
		first = false
		offset += n + int(size)
	}
	return stream[:offset]
}
