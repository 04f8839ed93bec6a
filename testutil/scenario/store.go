package scenario

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"time"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// contentSize is the size of files whose content no story cares for: more than two leaves.
const contentSize = 2<<20 + 12345

// Version is a file that was stored as a version of a record.
type Version struct {
	phr.Stored
	// Name and Content of the file.
	Name    string
	Content []byte
	// Patient who owns it; nil for a record of the hospital's own.
	Patient *Patient
}

// Store has the hospital's clerk store a file of random content for a patient, and waits until it is copied to as many hospitals as
// the network wants.
func (h *Hospital) Store(patient *Patient, name string) Version {
	h.t.Helper()
	return h.StoreContent(patient, name, randomContent(contentSize))
}

// StoreContent is Store of a given content.
func (h *Hospital) StoreContent(patient *Patient, name string, content []byte) Version {
	h.t.Helper()
	return h.waitForCopies(h.Upload(patient, lock.ID{}, name, content))
}

// StoreOwn stores a file as a record that the hospital owns itself.
func (h *Hospital) StoreOwn(name string) Version {
	h.t.Helper()
	return h.waitForCopies(h.Upload(nil, lock.ID{}, name, randomContent(contentSize)))
}

// StoreNext stores a file as the next version of a record.
func (h *Hospital) StoreNext(v Version, name string) Version {
	h.t.Helper()
	return h.waitForCopies(h.Upload(v.Patient, v.Record, name, randomContent(contentSize)))
}

// Upload stores a file and does not wait for its copies. The record is the zero id for a new one, the patient nil for a record that
// the hospital owns.
func (h *Hospital) Upload(patient *Patient, record lock.ID, name string, content []byte) Version {
	h.t.Helper()
	clerk := h.Clerk()
	ctx, cancel := clerk.step()
	defer cancel()
	v, err := clerk.store(ctx, patient, record, name, content)
	if err != nil {
		h.t.Fatalf("%s stores %s: %v", h.name, name, err)
	}
	return v
}

// CannotStore has the hospital's clerk try to store a file of a patient, and returns the error.
func (h *Hospital) CannotStore(patient *Patient, name string) error {
	h.t.Helper()
	clerk := h.Clerk()
	ctx, cancel := clerk.step()
	defer cancel()
	_, err := clerk.store(ctx, patient, lock.ID{}, name, randomContent(contentSize))
	if err == nil {
		h.t.Fatalf("%s stores %s", h.name, name)
	}
	return err
}

func (p *person) store(ctx context.Context, patient *Patient, record lock.ID, name string, content []byte) (Version, error) {
	v := Version{Name: name, Content: content, Patient: patient}
	file := imaging(patient, name, content)
	file.Record = record
	stored, err := p.client.Store(ctx, file)
	if err != nil {
		return v, err
	}
	v.Stored = *stored
	return v, nil
}

// imaging is a file of a patient, or of the hospital where there is none.
func imaging(patient *Patient, name string, content []byte) phr.NewVersion {
	file := phr.NewVersion{
		Class: recordsv1.Class_CLASS_IMAGING, Name: name, MediaType: "application/dicom", Modified: time.Unix(1_700_000_000, 0),
		Size: uint64(len(content)), Content: bytes.NewReader(content),
	}
	if patient != nil {
		file.Patient = patient.Number
	}
	return file
}

func (h *Hospital) waitForCopies(v Version) Version {
	h.t.Helper()
	h.HasCopies(v, 0)
	return v
}

// HasCopies waits until as many copies of a version are held; 0 stands for as many as the network wants.
func (h *Hospital) HasCopies(v Version, want uint32) phr.Copies {
	h.t.Helper()
	clerk := h.Clerk()
	ctx, cancel := clerk.step()
	defer cancel()
	copies, err := clerk.client.WaitForCopies(ctx, v.Ref, want, nil)
	if err != nil {
		h.t.Fatalf("copies of %s: %v", v.Name, err)
	}
	return copies
}

// IsWhole waits until as many failure domains hold a version as shall, and all that is left of it are their copies.
func (h *Hospital) IsWhole(v Version) *storagev1.QueryObjectResponse {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	query := storagev1.NewQueryClient(h.Clerk().client)
	for {
		object, err := past(ctx, func() (*storagev1.QueryObjectResponse, error) {
			return query.Object(ctx, &storagev1.QueryObjectRequest{Cid: v.Object.String()})
		}, phr.ErrNotFound)
		if err != nil {
			h.t.Fatalf("object of %s: %v", v.Name, err)
		}
		if object.GetStanding() == storagev1.Standing_STANDING_WHOLE {
			return object
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			h.t.Fatalf("%s is not whole: %v", v.Name, object)
		}
	}
}

// Health is what the chain knows of the copies of all objects.
func (h *Hospital) Health() *storagev1.QueryHealthResponse {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	health, err := storagev1.NewQueryClient(h.Clerk().client).Health(ctx, &storagev1.QueryHealthRequest{})
	if err != nil {
		h.t.Fatalf("health of the network: %v", err)
	}
	return health
}

// NodeNumber is the number of another hospital's storage node.
func (h *Hospital) NodeNumber(of *Hospital) uint64 {
	h.t.Helper()
	for _, n := range h.Health().GetNodes() {
		if n.GetMember() == of.number {
			return n.GetNode()
		}
	}
	h.t.Fatalf("%s has no storage node", of.name)
	return 0
}

// randomContent is a file of a size that nobody has seen before.
func randomContent(size int) []byte {
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	return content
}

// NewRecord stands for a record that there is not yet.
var NewRecord lock.ID

// Content is a file of a size that nobody has seen before.
func Content(size int) []byte { return randomContent(size) }

// UploadInterrupted is Upload of a new record in which something happens once so many bytes of the file were read.
func (h *Hospital) UploadInterrupted(patient *Patient, name string, content []byte, after int, happens func()) Version {
	h.t.Helper()
	clerk := h.Clerk()
	ctx, cancel := clerk.step()
	defer cancel()
	happened := false
	middle := readerFunc(func([]byte) (int, error) {
		happens()
		happened = true
		return 0, io.EOF
	})
	v := Version{Name: name, Content: content, Patient: patient}
	stored, err := clerk.client.Store(ctx, phr.NewVersion{
		Patient: patient.Number, Class: recordsv1.Class_CLASS_IMAGING, Name: name, Size: uint64(len(content)),
		Content: io.MultiReader(bytes.NewReader(content[:after]), middle, bytes.NewReader(content[after:])),
	})
	if err != nil {
		h.t.Fatalf("%s stores %s: %v", h.name, name, err)
	}
	if !happened {
		h.t.Fatalf("%s was stored without an interruption", name)
	}
	v.Stored = *stored
	return v
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Without is a hospital that holds no copy of a version.
func (n *Network) Without(v Version) *Hospital {
	n.t.Helper()
	holds := n.holders(v)
	for _, h := range n.Hospitals() {
		if !holds[h.number] {
			return h
		}
	}
	n.t.Fatalf("every hospital holds a copy of %s", v.Name)
	return nil
}

// Copying are the hospitals other than the origin that are to hold a copy of a version.
func (n *Network) Copying(v Version) []*Hospital {
	n.t.Helper()
	holds := n.holders(v)
	var copying []*Hospital
	for _, h := range n.Hospitals() {
		if holds[h.number] && h.number != v.Hospital {
			copying = append(copying, h)
		}
	}
	return copying
}

// holders are the members that hold a copy of a version or are to fetch it.
func (n *Network) holders(v Version) map[uint64]bool {
	n.t.Helper()
	auditor := n.Hospital(names[0]).Auditor()
	ctx, cancel := step(n.t)
	defer cancel()
	copies, err := past(ctx, func() (phr.Copies, error) { return auditor.client.Copies(ctx, v.Ref) }, phr.ErrNotFound)
	if err != nil {
		n.t.Fatalf("copies of %s: %v", v.Name, err)
	}
	nodes, err := auditor.client.StorageNodes(ctx, 0)
	if err != nil {
		n.t.Fatalf("storage nodes: %v", err)
	}
	holds := map[uint64]bool{}
	for _, c := range copies.Nodes {
		for _, node := range nodes {
			if node.GetNumber() == c.GetNode() {
				holds[node.GetMember()] = true
			}
		}
	}
	return holds
}
