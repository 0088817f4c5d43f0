package federationtest

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"
)

var gatewayCallbacks = []gatewayClause{
	{"callback-registered", "A subscription must be listed once it is made, have another URL when it is made again, and be gone once it is deleted.", callbackRegistered},
	{"callback-own", "A nation must not see, change or delete the subscriptions of another.", callbackOwn},
	{"callback-url", "A URL to be called must be of https, without a query or a user: others must be answered 400.", callbackURL},
	{"callback-private", "Addresses that are not of the public internet must be refused with 400; this machine must not be called whatever its name.", callbackPrivate},
	{"callback-called", "Who has subscribed must be called for every batch, with its tag and its day, in their order.", callbackCalled},
}

// callback makes a request about subscriptions.
func (x *gatewayExam) callback(member int, method, id, target string) (outcome, error) {
	path := "/callback"
	if id != "" {
		path += "/" + url.PathEscape(id)
	}
	if target != "" {
		path += "?" + url.Values{"url": {target}}.Encode()
	}
	return x.do(gatewayCall{method: method, path: path, pair: x.as(member), header: map[string]string{"Accept": mediaJSON}})
}

// subscriptions returns the URLs that a member has subscribed, by their ids.
func (x *gatewayExam) subscriptions(member int) (map[string]string, error) {
	got, err := x.callback(member, http.MethodGet, "", "")
	if err != nil {
		return nil, err
	}
	if got.status == http.StatusNotFound && x.opts.Callback == "" {
		return nil, fmt.Errorf("%w: the gateway calls nobody back", errNotGiven)
	}
	if err := wantStatus("the list of subscriptions", got, http.StatusOK); err != nil {
		return nil, err
	}
	var list []efgsSubscription
	if err := json.Unmarshal(got.body, &list); err != nil || list == nil {
		return nil, errors.New("the list of subscriptions is no JSON array")
	}
	all := map[string]string{}
	for _, s := range list {
		all[s.ID] = s.URL
	}
	return all, nil
}

// change makes or deletes a subscription, and wants a status.
func (x *gatewayExam) change(member int, method, id, target string, want ...int) error {
	got, err := x.callback(member, method, id, target)
	if err != nil {
		return err
	}
	return wantStatus(method+" of a subscription", got, want...)
}

// mayBeCalled returns a URL that a member may subscribe.
func (x *gatewayExam) mayBeCalled(path string) (string, error) {
	if x.opts.Callback == "" {
		return "", fmt.Errorf("%w: EFGSEndpointOptions.Callback is empty", errNotGiven)
	}
	return "https://" + x.opts.Callback + path, nil
}

var done = []int{http.StatusOK, http.StatusCreated, http.StatusNoContent}

func callbackRegistered(x *gatewayExam) (gatewayLater, error) {
	id := x.run
	for _, step := range []struct {
		method, path string
		want         []int
	}{{http.MethodPut, "/a", done}, {http.MethodPut, "/b", done}, {http.MethodDelete, "", done}, {http.MethodDelete, "", []int{404}}} {
		target, err := x.mayBeCalled(step.path)
		if err != nil {
			return nil, err
		}
		if step.path == "" {
			target = ""
		}
		if err := x.change(0, step.method, id, target, step.want...); err != nil {
			return nil, err
		}
		all, err := x.subscriptions(0)
		if err != nil {
			return nil, err
		}
		if all[id] != target {
			return nil, fmt.Errorf("after %s the subscription is %q, want %q", step.method, all[id], target)
		}
	}
	return nil, nil
}

func callbackOwn(x *gatewayExam) (gatewayLater, error) {
	target, err := x.mayBeCalled("/own")
	if err != nil {
		return nil, err
	}
	id := x.run + "-own"
	if err := x.change(0, http.MethodPut, id, target, done...); err != nil {
		return nil, err
	}
	theirs, err := x.subscriptions(1)
	if err != nil {
		return nil, err
	}
	if _, seen := theirs[id]; seen {
		return nil, errors.New("a nation is shown the subscription of another")
	}
	if err := x.change(1, http.MethodDelete, id, "", http.StatusNotFound, http.StatusForbidden); err != nil {
		return nil, err
	}
	mine, err := x.subscriptions(0)
	if err != nil {
		return nil, err
	}
	if mine[id] != target {
		return nil, errors.New("a nation has deleted the subscription of another")
	}
	return nil, x.change(0, http.MethodDelete, id, "", done...)
}

// wantRefusedTargets wants none of these to be subscribed. What is taken all the same
// is deleted again.
func (x *gatewayExam) wantRefusedTargets(targets ...string) error {
	if _, err := x.subscriptions(0); err != nil {
		return err
	}
	for _, target := range targets {
		got, err := x.callback(0, http.MethodPut, x.run+"-refused", target)
		if err != nil {
			return err
		}
		if err := wantStatus("the URL "+target, got, http.StatusBadRequest); err != nil {
			x.callback(0, http.MethodDelete, x.run+"-refused", "")
			return err
		}
	}
	return nil
}

func callbackURL(x *gatewayExam) (gatewayLater, error) {
	host := x.opts.Callback
	if host == "" {
		host = "gateway.example"
	}
	return nil, x.wantRefusedTargets("http://"+host+"/x", "https://"+host+"/x?y=z", "https://user:password@"+host+"/x", "ftp://"+host+"/x", "//"+host, "x")
}

func callbackPrivate(x *gatewayExam) (gatewayLater, error) {
	if err := x.wantRefusedTargets("https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data",
		"https://100.64.0.1/", "https://0.0.0.0/", "https://[fe80::1]/", "https://[fd00::1]/", "https://[::ffff:10.0.0.1]/", "https://224.0.0.1/"); err != nil {
		return nil, err
	}
	if x.allowed("127.0.0.1") {
		return nil, nil // it may call this machine
	}
	var err error
	if x.forbade, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(x.forbade.Addr().String())
	for i, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"} {
		if _, err := x.callback(0, http.MethodPut, fmt.Sprint(x.run, "-here-", i), "https://"+host+":"+port+"/"); err != nil { // taken or not
			return nil, err
		}
	}
	return func(x *gatewayExam) error {
		x.forbade.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Millisecond))
		if conn, err := x.forbade.Accept(); err == nil {
			conn.Close()
			return errors.New("this machine was called")
		}
		for i := range 4 {
			if _, err := x.callback(0, http.MethodDelete, fmt.Sprint(x.run, "-here-", i), ""); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// allowed reports whether the gateway is said to be allowed to call a host.
func (x *gatewayExam) allowed(host string) bool {
	listening, err := netip.ParseAddrPort(x.opts.Callback)
	return err == nil && listening.Addr().String() == host
}

func callbackCalled(x *gatewayExam) (gatewayLater, error) {
	target, err := x.mayBeCalled("/called")
	if err != nil {
		return nil, err
	}
	r := x.observer()
	pair := x.members[r.member].Callback
	if pair == nil {
		return nil, fmt.Errorf("%w: the last member has no Callback", errNotGiven)
	}
	if x.calls, err = listenForCalls(x.opts.Callback, pair); err != nil {
		return nil, err
	}
	if err := x.change(r.member, http.MethodPut, x.run+"-called", target, done...); err != nil {
		return nil, err
	}
	// What is there by now may have been made before the subscription.
	before := &gatewayReader{x: x, member: r.member, tag: r.from}
	if err := before.drain(); err != nil {
		return nil, err
	}
	return func(x *gatewayExam) error {
		defer x.callback(r.member, http.MethodDelete, x.run+"-called", "")
		var all []string
		for _, p := range r.all() {
			all = append(all, p.tag+" "+p.day.String())
		}
		must := max(0, len(all)-len(before.pages))
		called := func() []string {
			got := x.calls.heard()
			return got[:min(len(got), len(all))] // there may be more by now
		}
		for deadline := time.Now().Add(x.opts.Patience); time.Now().Before(deadline) && len(called()) < must; {
			time.Sleep(x.opts.Poll)
		}
		if got := called(); must == 0 || len(got) < must || !slices.Equal(got, all[len(all)-len(got):]) {
			return fmt.Errorf("called for %q, want the last %d of %q at least", got, must, all)
		}
		return nil
	}, nil
}

// A receiver is called back by a gateway.
type receiver struct {
	http *http.Server

	mu   sync.Mutex
	tags []string // and days, of calls, each once
}

func listenForCalls(addr string, pair *tls.Certificate) (*receiver, error) {
	r := &receiver{}
	r.http = &http.Server{Handler: r, ReadHeaderTimeout: 10 * time.Second}
	l, err := tls.Listen("tcp", addr, &tls.Config{Certificates: []tls.Certificate{*pair}, ClientAuth: tls.RequestClientCert})
	if err != nil {
		return nil, fmt.Errorf("EFGSEndpointOptions.Callback: %w", err)
	}
	go r.http.Serve(l)
	return r, nil
}

// ServeHTTP implements [http.Handler]. A call that comes again is the same.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := q.FormValue("batchTag") + " " + q.FormValue("date"); !slices.Contains(r.tags, text) {
		r.tags = append(r.tags, text)
	}
	w.WriteHeader(http.StatusAccepted)
}

func (r *receiver) heard() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.tags)
}

func (r *receiver) close() { r.http.Close() }
