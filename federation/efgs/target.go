package efgs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// A Resolver finds the addresses of a host. [*net.Resolver] is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

var (
	errTarget  = errors.New("not an address of the public internet")
	errResolve = errors.New("its host has no address")
)

// resolveTimeout bounds the look-up of a host by a nation that waits for it.
const resolveTimeout = 10 * time.Second

// checkURL reports whether a URL may be called. Errors do not quote it.
func (c *Callbacks) checkURL(ctx context.Context, text string) error {
	if len(text) > maxCallbackURL {
		return fmt.Errorf("more than %d characters", maxCallbackURL)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" || u.Opaque != "" || u.Hostname() == "":
		return errors.New("not of https with a host")
	case u.User != nil:
		return errors.New("a user in it")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("a query or fragment in it")
	}
	if _, err := c.portOf(u); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	_, err = c.resolve(ctx, u.Hostname())
	return err
}

// portOf returns the port of a URL, if it may be called.
func (c *Callbacks) portOf(u *url.URL) (uint16, error) {
	if u.Port() == "" {
		return 443, nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port != 443 && !slices.Contains(c.opts.Ports, uint16(port)) {
		return 0, errors.New("not the port of https")
	}
	return uint16(port), nil
}

// resolve returns the addresses of a host, each of which may be called: one that
// may not makes the others suspect.
func (c *Callbacks) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	all := []netip.Addr{}
	if ip, err := netip.ParseAddr(host); err == nil {
		all = append(all, ip)
	} else if all, err = c.opts.Resolver.LookupNetIP(ctx, "ip", host); err != nil || len(all) == 0 {
		return nil, errResolve
	}
	for _, ip := range all {
		if !c.mayCall(ip) {
			return nil, errTarget
		}
	}
	return all, nil
}

// dial connects to a host. The addresses that were looked at are those that are
// connected to, so that an answer of DNS that changes in between changes nothing.
func (c *Callbacks) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	ips, err := c.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: c.opts.Timeout, Control: c.control}
	var conn net.Conn
	for _, ip := range ips {
		if conn, err = d.DialContext(ctx, network, net.JoinHostPort(ip.String(), port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// control is the last look at an address, as it is given to the system.
func (c *Callbacks) control(_, addr string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(addr)
	if err != nil || !c.mayCall(to.Addr()) {
		return errTarget
	}
	return nil
}

func (c *Callbacks) mayCall(ip netip.Addr) bool {
	return isPublic(ip) || slices.ContainsFunc(c.opts.Networks, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
}

// notPublic are the networks that are not of the public internet, from the
// registries of special-purpose addresses (RFC 6890).
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "3fff::/20", // of IPv6 only what follows is public at all
)

var (
	globalIPv6 = netip.MustParsePrefix("2000::/3")
	sixToFour  = netip.MustParsePrefix("2002::/16")
	nat64      = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(all ...string) (list []netip.Prefix) {
	for _, p := range all {
		list = append(list, netip.MustParsePrefix(p))
	}
	return list
}

// isPublic reports whether an address is one of the public internet. One that holds
// an address of IPv4 leads there, and is what that is.
func isPublic(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsValid() || ip.Zone() != "" {
		return false
	}
	b := ip.As16()
	switch {
	case sixToFour.Contains(ip):
		return isPublic(netip.AddrFrom4([4]byte(b[2:6])))
	case nat64.Contains(ip):
		return isPublic(netip.AddrFrom4([4]byte(b[12:16])))
	case ip.Is6() && !globalIPv6.Contains(ip):
		return false
	}
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(ip) })
}
