package web

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"rlam/schemas"
)

// notPublic are the networks, beside those that net/netip tells, that a request from
// outside must not reach: the registries of special-purpose addresses of RFC 6890.
var notPublic = prefixes(
	"0.0.0.0/8",       // this network
	"100.64.0.0/10",   // shared by a provider's customers
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"240.0.0.0/4",     // reserved, and broadcast
	"::/96",           // IPv4 in an old spelling
	"64:ff9b::/96",    // IPv4 behind a translator
	"64:ff9b:1::/48",  // the same, local
	"100::/64",        // discarded
	"2001::/23",       // protocol assignments, Teredo among them
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4, which holds an IPv4 address
	"fec0::/10",       // site-local, once
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		all[i] = netip.MustParsePrefix(t)
	}
	return all
}

// Public says whether an address belongs to the public internet.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.Zone() != "" {
		return false // loopback, link-local, multicast and unspecified are no global unicast
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// guard refuses connections to addresses that aren't public. It looks at the address
// that is being dialled: what its name resolved to when it was looked at before is
// nothing to go by.
func guard(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return failing(TypeAddressRefused, "the address %q can't be read", address)
	}
	if !Public(at.Addr()) {
		return failing(TypeAddressRefused, "%s is no public address, and what answers there wasn't meant to be reached from outside. If it is (an instrument, a service of your own), let it through with --allow-address HOST:PORT on the worker", at.Addr())
	}
	return nil
}

// CheckAllowed refuses what is no HOST:PORT.
func CheckAllowed(addresses []string) error {
	for _, a := range addresses {
		host, port, err := net.SplitHostPort(a)
		if err != nil || host == "" || port == "" || strings.ContainsAny(a, "*/ ") {
			return fmt.Errorf("letting %q through: an address is HOST:PORT, such as spectrometer.lab:8080", a)
		}
	}
	return nil
}

// refuseHost refuses a host by its spelling.
func refuseHost(host string) error {
	if schemas.OddAddress(host) {
		return failing(TypeAddressRefused, "%q is an address in a spelling that programs disagree about", host)
	}
	return nil
}
