package federationtest

import "fmt"

// A clause is a sentence of what a server must do, and the check that holds it to
// that. The check makes its requests and returns what is to be looked at when what
// was uploaded is handed out, nil for nothing. X is an examination.
type clause[X any] struct {
	name  string
	must  string
	check func(x X) (look[X], error)
}

// A look is the rest of a check.
type look[X any] = func(x X) error

// A course is how far an examination has come.
type course struct {
	clause string       // whose check runs
	second []secondSend // what is sent once everything else was handed out
}

// A secondSend is what a clause sends after what it sent first was handed out.
type secondSend struct {
	clause string
	send   func() error
}

// afterwards has something be sent once all that was sent before is handed out.
func (c *course) afterwards(send func() error) {
	c.second = append(c.second, secondSend{c.clause, send})
}

// conduct has an examination check all clauses, wait until what was sent is handed
// out, send what is to be sent then, wait for that, and look at the rest. It returns
// what came of each by name.
func conduct[X any](x X, c *course, clauses []clause[X], begin, wait func() error) map[string]error {
	verdicts := map[string]error{}
	if err := begin(); err != nil {
		for _, cl := range clauses {
			verdicts[cl.name] = fmt.Errorf("the server cannot be asked at all: %w", err)
		}
		return verdicts
	}
	rest := map[string]look[X]{}
	for _, cl := range clauses {
		c.clause = cl.name
		rest[cl.name], verdicts[cl.name] = guarded(func() (look[X], error) { return cl.check(x) })
	}
	waited := wait()
	for _, s := range c.second {
		if waited == nil && verdicts[s.clause] == nil {
			_, verdicts[s.clause] = guarded(func() (look[X], error) { return nil, s.send() })
		}
	}
	if waited == nil && len(c.second) > 0 {
		waited = wait()
	}
	for _, cl := range clauses {
		look := rest[cl.name]
		switch {
		case look == nil || verdicts[cl.name] != nil:
		case waited != nil:
			verdicts[cl.name] = fmt.Errorf("the server cannot be read to the end: %w", waited)
		default:
			_, verdicts[cl.name] = guarded(func() (any, error) { return nil, look(x) })
		}
	}
	return verdicts
}

// guarded runs a check. One that panics has found something out.
func guarded[Rest any](check func() (Rest, error)) (rest Rest, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return check()
}
