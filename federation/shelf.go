package federation

import (
	"slices"
	"sync"
)

// A shelf keeps what was read last: nations ask for the same batches one after
// another.
type shelf[T any] struct {
	limit int         // of all books together, but for the one that was read last
	weigh func(T) int // 1 or more

	mu     sync.Mutex
	books  map[string]*book[T]
	order  []string // of names, oldest first
	weight int
}

// A book is something on the shelf, being read by the first who asked for it.
type book[T any] struct {
	once    sync.Once
	content T
	weight  int // 0 as long as it is being read
	err     error
}

func newShelf[T any](limit int, weigh func(T) int) *shelf[T] {
	return &shelf[T]{limit: limit, weigh: weigh, books: map[string]*book[T]{}}
}

// get returns what read reads, which is done once for all who ask for the name. It
// is not to be changed.
func (s *shelf[T]) get(name string, read func() (T, error)) (T, error) {
	b := s.take(name)
	b.once.Do(func() {
		if b.content, b.err = read(); b.err != nil {
			s.drop(name)
			return
		}
		s.put(name, b)
	})
	return b.content, b.err
}

func (s *shelf[T]) take(name string) *book[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.books[name]
	if b == nil {
		b = &book[T]{}
		s.books[name], s.order = b, append(s.order, name)
	}
	return b
}

// put notes how heavy a book is, and takes the oldest of the others away until
// there is room for it.
func (s *shelf[T]) put(name string, b *book[T]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.weight = s.weigh(b.content)
	s.weight += b.weight
	s.order = slices.DeleteFunc(s.order, func(oldest string) bool {
		old := s.books[oldest]
		if s.weight <= s.limit || oldest == name || old.weight == 0 {
			return false
		}
		s.weight -= old.weight
		delete(s.books, oldest)
		return true
	})
}

// drop has what could not be read be read again by whoever asks next.
func (s *shelf[T]) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.books, name)
	s.order = slices.DeleteFunc(s.order, func(have string) bool { return have == name })
}
