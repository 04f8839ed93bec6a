package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"

	"filippo.io/age"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// mib is the unit of files and rates, gib that of processor time.
const (
	mib = 1 << 20
	gib = 1 << 30
)

// newInput writes a file of random bytes.
func newInput(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, mathrand.NewChaCha8([32]byte{1}), size)
	return errors.Join(err, f.Close())
}

// sealInto stores the file in a new pack store, durably, and answers what opens it.
func sealInto(ctx context.Context, store *pack.Store, path string) (*seal.Sealed, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	batch, err := store.Begin(ctx, blob.Hint{Size: uint64(info.Size())})
	if err != nil {
		return nil, err
	}
	sealed, err := seal.Seal(ctx, seal.SinkFunc(func(_ context.Context, c lock.CID, block []byte) error {
		return batch.PutTrusted(c, block)
	}), f, seal.Draft{Name: "bench", MediaType: "application/octet-stream", Size: uint64(info.Size())})
	if err == nil {
		err = batch.Sync(ctx)
	}
	return sealed, errors.Join(err, batch.Close())
}

// opened hashes what a sealed object opens to.
func opened(ctx context.Context, store *pack.Store, sealed *seal.Sealed) ([]byte, error) {
	object, err := seal.OpenObject(ctx, store, sealed.Ref, sealed.DEK)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	_, err = object.WriteTo(ctx, h)
	return h.Sum(nil), err
}

func hashFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return h.Sum(nil), err
}

// rawSeal is the raw limit of storing without a store: AES-256-GCM with a random key for each chunk and SHA-256 of the result,
// on all cores.
func rawSeal(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	chunks := make(chan []byte)
	// A chunk travels with its buffer until it was hashed.
	buffers := make(chan []byte, 2*runtime.NumCPU())
	for range cap(buffers) {
		buffers <- make([]byte, mib)
	}
	var group sync.WaitGroup
	faults := make(chan error, runtime.NumCPU())
	for range runtime.NumCPU() {
		group.Go(func() {
			for chunk := range chunks {
				var key, nonce [32]byte
				_, err := rand.Read(key[:])
				block, blockErr := aes.NewCipher(key[:])
				if err = errors.Join(err, blockErr); err != nil {
					faults <- err
					return
				}
				aead, err := cipher.NewGCM(block)
				if err != nil {
					faults <- err
					return
				}
				sealed := aead.Seal(chunk[:0], nonce[:12], chunk, nil)
				sum := sha256.Sum256(sealed)
				runtime.KeepAlive(sum)
				buffers <- sealed[:mib]
			}
		})
	}
	for {
		var buffer []byte
		select {
		case buffer = <-buffers:
		case err := <-faults:
			return err
		}
		n, err := io.ReadFull(f, buffer[:mib-16])
		if n > 0 {
			select {
			case chunks <- buffer[:n]:
			case err := <-faults:
				return err
			}
		}
		if err != nil {
			close(chunks)
			group.Wait()
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return nil
			}
			return err
		}
	}
}

// rawWrite is the raw limit of the disk: the same bytes in sequence, and one fsync.
func rawWrite(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	buffer := make([]byte, mib)
	// The wrappers keep the kernel from copying by itself: phrd has the bytes in its own memory too.
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, buffer)
	return errors.Join(err, out.Sync(), out.Close())
}

// store measures rows 1 to 3.
func (b *bench) store(ctx context.Context) ([]row, error) {
	input, plain := filepath.Join(b.dir, "input"), filepath.Join(b.dir, "plain")
	if err := newInput(input, b.size); err != nil {
		return nil, err
	}
	want, err := hashFile(input)
	if err != nil {
		return nil, err
	}
	storeDir := filepath.Join(b.dir, "store")
	sides := []func(context.Context) error{
		func(ctx context.Context) error {
			if err := os.RemoveAll(storeDir); err != nil {
				return err
			}
			store, err := pack.Open(storeDir, pack.Options{})
			if err != nil {
				return err
			}
			_, err = sealInto(ctx, store, input)
			return errors.Join(err, store.Close())
		},
		func(context.Context) error { return rawSeal(input) },
		func(context.Context) error { return rawWrite(input, plain) },
	}
	tool, err := newAge(b.dir)
	if err != nil {
		return nil, err
	}
	encrypted := filepath.Join(b.dir, "age")
	if tool != nil {
		sides = append(sides, func(ctx context.Context) error { return tool.encrypt(ctx, input, encrypted) })
	}
	samples, err := interleave(ctx, b.rounds, sides...)
	if err != nil {
		return nil, err
	}
	if err := b.verifyStore(ctx, input, plain, want); err != nil {
		return nil, err
	}
	rows := []row{{
		number: "1", what: "durable encrypted store against the slower of: seal and hash without a store; the same bytes written and fsynced",
		target: "≥ 0.8", measured: rates(samples[0], samples[1], samples[2]).String(),
		raw: fmt.Sprintf("store %.0f, seal and hash %.0f, write %.0f MiB/s", throughput(b.size, samples[0]).median, throughput(b.size, samples[1]).median, throughput(b.size, samples[2]).median),
	}}
	if tool == nil {
		rows = append(rows, row{number: "2", what: "the same against `age -e` writing a file", target: "≥ 0.95", measured: "not measured", raw: "age is not installed"})
	} else {
		if err := tool.verify(ctx, encrypted, want); err != nil {
			return nil, err
		}
		rows = append(rows, row{
			number: "2", what: "the same against `age -e` writing a file, fsynced", target: "≥ 0.95", measured: rates(samples[0], samples[3]).String(),
			raw: fmt.Sprintf("store %.0f, age %.0f MiB/s", throughput(b.size, samples[0]).median, throughput(b.size, samples[3]).median),
		})
	}
	return append(rows, row{
		number: "3", what: "processor seconds for each GiB stored", target: "≤ 2.2", measured: cpuPer(gib, b.size, samples[0]).String(),
		raw: fmt.Sprintf("seal and hash without a store %.2f", cpuPer(gib, b.size, samples[1]).median),
	}), errors.Join(os.Remove(plain), removeIfThere(encrypted), os.RemoveAll(storeDir))
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// verifyStore makes sure that both ways of writing give the file back.
func (b *bench) verifyStore(ctx context.Context, input, plain string, want []byte) error {
	got, err := hashFile(plain)
	if err != nil {
		return err
	}
	if string(got) != string(want) {
		return errors.New("the written file differs from its input")
	}
	dir := filepath.Join(b.dir, "verify")
	store, err := pack.Open(dir, pack.Options{})
	if err != nil {
		return err
	}
	sealed, err := sealInto(ctx, store, input)
	if err == nil {
		got, err = opened(ctx, store, sealed)
	}
	if err == nil && string(got) != string(want) {
		err = errors.New("the stored file opens to other bytes")
	}
	return errors.Join(err, store.Close(), os.RemoveAll(dir))
}

// ageTool is the public age program with a key of its own.
type ageTool struct{ identity, recipient string }

// newAge makes a key; it answers nil where age is not installed.
func newAge(dir string) (*ageTool, error) {
	if _, err := exec.LookPath("age"); errors.Is(err, exec.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "age-identity")
	return &ageTool{identity: path, recipient: key.Recipient().String()}, os.WriteFile(path, []byte(key.String()+"\n"), 0o600)
}

func (a *ageTool) encrypt(ctx context.Context, from, to string) error {
	if err := exec.CommandContext(ctx, "age", "-e", "-r", a.recipient, "-o", to, from).Run(); err != nil {
		return fmt.Errorf("age -e: %w", err)
	}
	f, err := os.OpenFile(to, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (a *ageTool) verify(ctx context.Context, path string, want []byte) error {
	h := sha256.New()
	c := exec.CommandContext(ctx, "age", "-d", "-i", a.identity, path)
	c.Stdout = h
	if err := c.Run(); err != nil {
		return fmt.Errorf("age -d: %w", err)
	}
	if string(h.Sum(nil)) != string(want) {
		return errors.New("the age file opens to other bytes")
	}
	return nil
}
