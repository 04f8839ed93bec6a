package seal

import (
	"context"
	"iter"
	"sync"
)

// ordered yields work(take(i)) for i = 0 … n−1 in order. take is called by one
// goroutine, in order; work by up to workers goroutines at a time. At most 2×workers+2
// jobs are taken and not yet yielded and let go of. The first error ends the sequence,
// also that of ctx. All goroutines have ended when the sequence has.
func ordered[J, T any](ctx context.Context, workers int, n uint64, take func(i uint64) (J, error), work func(context.Context, J) (T, error)) iter.Seq2[T, error] {
	type result struct {
		value T
		err   error
	}
	return func(yield func(T, error) bool) {
		inner, cancel := context.WithCancel(ctx)
		queue := make(chan chan result, 2*workers)
		gate := make(chan struct{}, workers)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		running.Go(func() {
			defer close(queue)
			for i := uint64(0); i < n && inner.Err() == nil; i++ {
				job, err := take(i)
				done := make(chan result, 1)
				select {
				case queue <- done:
				case <-inner.Done():
					return
				}
				if err != nil {
					done <- result{err: err}
					return
				}
				gate <- struct{}{}
				running.Go(func() {
					value, err := work(inner, job)
					<-gate
					done <- result{value, err}
				})
			}
		})
		for done := range queue {
			r := <-done
			if !yield(r.value, r.err) || r.err != nil {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			var none T
			yield(none, err)
		}
	}
}
