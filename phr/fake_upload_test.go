package phr_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/car"
	"github.com/phrd/phrd/lock"
)

// fakeUpload keeps the stream of one upload up to its last whole block.
type fakeUpload struct {
	stream  []byte
	blocks  int
	length  int64 // -1 until it is said
	patches int
	shared  map[string]bool // blocks of an earlier version that it was given
}

// upload serves tus 1.0.0 with deferred length.
func (g *gate) upload(w http.ResponseWriter, r *http.Request) {
	id, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/uploads"), "/"), "/")
	cid := strings.TrimPrefix(rest, "blocks/")
	g.mu.Lock()
	u := g.uploads[id]
	g.mu.Unlock()
	switch {
	case u != nil && (rest == "previous" || rest == "read" || rest == "check"):
		g.aboutBlocks(w, r, u, rest)
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

// aboutBlocks serves what is asked about the blocks of an upload.
func (g *gate) aboutBlocks(w http.ResponseWriter, r *http.Request, u *fakeUpload, what string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		g.net.t.Errorf("upload: %v", err)
	}
	if what == "previous" {
		var asked struct{ Record, Version string }
		if err := json.Unmarshal(body, &asked); err != nil {
			problem(w, http.StatusBadRequest, err.Error())
			return
		}
		number, _ := strconv.Atoi(asked.Version)
		root, err := lock.ParseCID(g.net.versions[asked.Record][number-1].Object)
		if err == nil {
			u.shared, err = g.leaves(root)
		}
		if err != nil {
			problem(w, http.StatusConflict, err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	stream, err := car.NewWriter(io.Discard)
	if what == "read" {
		stream, err = car.NewWriter(w)
	}
	if err != nil {
		g.net.t.Errorf("upload: %v", err)
	}
	for ; len(body) > 0; body = body[36:] {
		c, err := lock.CIDFromBytes(body[:36])
		if err != nil {
			g.net.t.Errorf("upload: %v", err)
			return
		}
		block := g.get(c.String())
		if g.serve != nil {
			block = g.serve(r.URL.Path, append([]byte(nil), block...))
		}
		switch {
		case len(block) == 0:
		case what == "read":
			err = stream.Put(c, block)
		case u.shared[c.String()] && lock.RawCID(sha256.Sum256(block)) == c:
			_, err = w.Write(c[:])
		}
		if err != nil {
			return // the client has seen enough
		}
	}
}

// leaves are the raw blocks below an inner node.
func (g *gate) leaves(node lock.CID) (map[string]bool, error) {
	links, err := blob.ParseNode(g.get(node.String()))
	if err != nil {
		return nil, err
	}
	below := map[string]bool{}
	for _, l := range links {
		if l.CID.IsRaw() {
			below[l.CID.String()] = true
			continue
		}
		further, err := g.leaves(l.CID)
		if err != nil {
			return nil, err
		}
		maps.Copy(below, further)
	}
	return below, nil
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
